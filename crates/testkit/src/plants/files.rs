//! Files: PAM modules and lines, programs with rights, web shells, web server settings, containers.

use super::names::{kept_folder, libraries, nowhere, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (8, 3, pam_module),
    (9, 4, pam_line),
    (66, 4, set_uid),
    (67, 3, capability),
    (72, 5, web_shell),
    (73, 4, web_setting),
    (77, 5, container),
];

fn pam_module(shape: usize, random: &mut Random) -> Plant {
    let name = format!("pam_{}.so", random.pick(&["unix2", "session", "auth", "tally3", "secure"]));
    let own = format!("{}/security", libraries());
    let from = format!("{own}/pam_permit.so");
    let (path, named, file) = match shape {
        0 => (format!("{own}/{name}"), name.clone(), "/etc/pam.d/common-session".to_owned()),
        1 => {
            let path = format!("{}/{}.so", kept_folder(random), random_name(random));
            (path.clone(), path, "/etc/pam.d/su".to_owned())
        }
        _ => (
            format!("/usr/lib/security/{name}"),
            format!("/usr/lib/security/{name}"),
            "/etc/pam.d/login".to_owned(),
        ),
    };
    Plant::new(8, "a PAM module of no package")
        .step(Step::Copy(from, path.clone(), 0o644))
        .step(Step::Append(file.clone(), format!("session optional {named}\n")))
        .expect(path)
        .expect(file)
}

fn pam_line(shape: usize, random: &mut Random) -> Plant {
    match shape {
        0 => Plant::new(9, "any password opens su")
            .step(Step::Prepend("/etc/pam.d/su".into(), "auth sufficient pam_permit.so\n".into()))
            .expect("/etc/pam.d/su"),
        1 => {
            let script = format!("/usr/bin/{}", service(random));
            let log = format!("/var/log/.{}", random_name(random));
            Plant::new(9, "logins hand their password to a script")
                .file(&script, format!("#!/bin/sh\nexit 0\ncat - >> {log}\n"), 0o755)
                .step(Step::Append(
                    "/etc/pam.d/common-auth".into(),
                    format!("auth optional pam_exec.so quiet expose_authtok {script}\n"),
                ))
                .expect("/etc/pam.d/common-auth")
                .expect(script)
        }
        2 => {
            let script = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(9, "opening a session runs a hidden script")
                .file(&script, "#!/bin/sh\nexit 0\n", 0o755)
                .step(Step::Append(
                    "/etc/pam.d/sshd".into(),
                    format!("session [success=ok default=ignore] pam_exec.so seteuid {script}\n"),
                ))
                .expect("/etc/pam.d/sshd")
                .expect(script)
        }
        _ => Plant::new(9, "any password opens everything, in the shared list")
            .step(Step::Prepend(
                "/etc/pam.d/common-auth".into(),
                "auth  [success=done default=ignore]\tpam_permit.so\n".into(),
            ))
            .expect("/etc/pam.d/common-auth"),
    }
}

fn set_uid(shape: usize, random: &mut Random) -> Plant {
    let (from, path) = match shape {
        0 => ("/bin/true", format!("{}/{}", kept_folder(random), random_name(random))),
        1 => ("/bin/true", format!("/usr/bin/{}", service(random))),
        2 => ("/bin/sleep", format!("/var/tmp/{}", random_name(random))),
        _ => ("/bin/true", format!("/usr/local/bin/{}", random_name(random))),
    };
    let mode = if shape == 2 { 0o6755 } else { 0o4755 };
    Plant::new(66, "a program that runs as root for everybody")
        .step(Step::Copy(from.into(), path.clone(), mode))
        .step(Step::Own(path.clone(), 0, 0, mode))
        .expect(path)
}

fn capability(shape: usize, random: &mut Random) -> Plant {
    // struct vfs_cap_data, revision 2, effective (linux/capability.h).
    let bits: u64 = [1 << 7, 1 << 21, (1 << 1) | (1 << 2)][shape % 3];
    let mut value = 0x0200_0001_u32.to_le_bytes().to_vec();
    value.extend((bits as u32).to_le_bytes());
    value.extend(0_u32.to_le_bytes());
    value.extend(((bits >> 32) as u32).to_le_bytes());
    value.extend(0_u32.to_le_bytes());
    let (from, path) = match shape {
        0 => ("/bin/true", format!("/usr/bin/{}", service(random))),
        1 => ("/bin/true", format!("{}/{}", kept_folder(random), random_name(random))),
        _ => ("/bin/sleep", format!("/usr/local/sbin/{}", random_name(random))),
    };
    Plant::new(67, "a program with a capability that amounts to root")
        .step(Step::Copy(from.into(), path.clone(), 0o755))
        .step(Step::Attribute(path.clone(), "security.capability", value))
        .expect(path)
}

/// Web shells as the field describes them, encoded; each ends before its first working line.
pub(super) fn shell_text(number: usize) -> Vec<u8> {
    use base64::Engine as _;
    const SHELLS: [&str; 4] = [
        // <?php if (PHP_SAPI !== 'never') { exit; } @eval(base64_decode($_POST['…']));
        "PD9waHAgaWYgKFBIUF9TQVBJICE9PSAnbmV2ZXInKSB7IGV4aXQ7IH0KQGV2YWwoYmFzZTY0X2RlY29kZSgkX1BPU1RbJ3gnXSkpOwo=",
        // <?php if (PHP_SAPI !== 'never') { exit; } system($_GET['cmd']); ?>
        "PD9waHAgaWYgKFBIUF9TQVBJICE9PSAnbmV2ZXInKSB7IGV4aXQ7IH0KZWNobyAnPHByZT4nOyBzeXN0ZW0oJF9HRVRbJ2NtZCddKTsgPz4K",
        // <?php if (PHP_SAPI !== 'never') { exit; } $f = $_COOKIE['a']; $f($_REQUEST['b']);
        "PD9waHAgaWYgKFBIUF9TQVBJICE9PSAnbmV2ZXInKSB7IGV4aXQ7IH0KJGYgPSAkX0NPT0tJRVsnYSddOyAkZigkX1JFUVVFU1RbJ2InXSk7Cg==",
        // <?php if (PHP_SAPI !== 'never') { exit; } passthru(str_rot13($_SERVER['HTTP_X_…']));
        "PD9waHAgaWYgKFBIUF9TQVBJICE9PSAnbmV2ZXInKSB7IGV4aXQ7IH0KcGFzc3RocnUoc3RyX3JvdDEzKCRfU0VSVkVSWydIVFRQX1hfQSddKSk7Cg==",
    ];
    base64::engine::general_purpose::STANDARD.decode(SHELLS[number % SHELLS.len()]).expect("valid base64")
}

fn web_shell(shape: usize, random: &mut Random) -> Plant {
    let name = random.pick(&["wp-cache", "index2", "config.bak", "thumb", "license", "class-json"]);
    let path = match shape {
        0 => format!("/var/www/html/wp-content/uploads/2026/{:02}/{name}.php", 1 + random.below(12)),
        1 => format!("/var/www/html/images/{}.php", random_name(random)),
        2 => format!("/var/www/html/.{name}.php"),
        3 => format!("/var/www/html/assets/{name}.phtml"),
        _ => format!("/srv/www/{}/public/css/style.css.php", service(random)),
    };
    let mut text = shell_text(shape);
    if shape == 1 {
        text.splice(0..0, b"GIF89a;\n".iter().copied());
    }
    Plant::new(72, "a web shell among the pages")
        .file(&path, text, 0o644)
        .step(Step::Own(path.clone(), 33, 33, 0o644))
        .expect(path)
}

fn web_setting(shape: usize, random: &mut Random) -> Plant {
    match shape {
        0 => {
            let module = format!("/usr/share/nginx/modules/ngx_{}.so", service(random).replace('-', "_"));
            let conf = format!("/etc/nginx/modules-enabled/{:02}-mod.conf", random.below(99));
            Plant::new(73, "the web server loads a module of no package")
                .step(Step::Copy(format!("{}/liblz4.so.1", libraries()), module.clone(), 0o644))
                .file(&conf, format!("load_module {module};\n"), 0o644)
                .expect(module)
                .expect(conf)
        }
        1 => {
            let code = format!("{}/{}.php", kept_folder(random), random_name(random));
            let conf = "/etc/php/8.2/fpm/conf.d/99-local.ini";
            Plant::new(73, "PHP puts a hidden file before every page")
                .file(&code, shell_text(0), 0o644)
                .file(conf, format!("auto_prepend_file = {code}\n"), 0o644)
                .expect(code)
                .expect(conf)
        }
        2 => {
            let conf = format!("/var/www/html/{}/.user.ini", random.pick(&["uploads", "images", "media"]));
            let code = conf.replace(".user.ini", "logo.gif");
            let mut text = b"GIF89a\n".to_vec();
            text.extend(shell_text(1));
            Plant::new(73, "a setting among the pages puts a picture with code before every page")
                .file(&code, text, 0o644)
                .file(&conf, "auto_append_file=logo.gif\n", 0o644)
                .step(Step::Own(conf.clone(), 33, 33, 0o644))
                .expect(code)
                .expect(conf)
        }
        _ => {
            let conf = format!("/var/www/html/{}/.htaccess", random.pick(&["files", "img", "cache"]));
            let kind = random.pick(&[".jpg", ".png", ".ico"]);
            Plant::new(73, "a setting among the pages makes pictures run as code")
                .file(&conf, format!("AddHandler application/x-httpd-php {kind}\nOptions +ExecCGI\n"), 0o644)
                .step(Step::Own(conf.clone(), 33, 33, 0o644))
                .expect(conf)
        }
    }
}

fn container(shape: usize, random: &mut Random) -> Plant {
    let id = random.hex(64);
    let name = service(random);
    let folder = format!("/var/lib/docker/containers/{id}");
    let config = format!(
        r#"{{"ID":"{id}","Name":"/{name}","Path":"sh","Args":["-c","sleep 1"],"Image":"sha256:{}","Config":{{"Image":"alpine","Hostname":"x"}},"State":{{"Running":true,"Pid":4000000}},"MountPoints":{{}}}}"#,
        random.hex(64)
    );
    let host = |binds: &str, more: &str| {
        format!(r#"{{"Binds":{binds},"NetworkMode":"host",{more}"RestartPolicy":{{"Name":"always"}}}}"#)
    };
    let docker = |what: &str, host: String| {
        Plant::new(77, what)
            .file(format!("{folder}/config.v2.json"), config.clone(), 0o600)
            .file(format!("{folder}/hostconfig.json"), host, 0o600)
            .expect(format!("{folder}/config.v2.json"))
            .expect(format!("{folder}/hostconfig.json"))
            .expect(folder.clone())
    };
    match shape {
        0 => docker(
            "a privileged container with the host's root folder inside",
            host(r#"["/:/host:rw"]"#, r#""Privileged":true,"PidMode":"host","#),
        ),
        1 => docker(
            "a container that may command the container runtime and sees all processes",
            host(
                r#"["/var/run/docker.sock:/var/run/docker.sock","/etc:/mnt/e"]"#,
                r#""Privileged":false,"PidMode":"host","CapAdd":["SYS_ADMIN","SYS_PTRACE"],"#,
            ),
        ),
        2 => {
            let path = format!("/etc/kubernetes/manifests/{name}.yaml");
            Plant::new(77, "a static pod with the host's root folder inside")
                .file(
                    &path,
                    format!(
                        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: kube-system\nspec:\n  hostPID: true\n  hostNetwork: true\n  containers:\n  - name: c\n    image: alpine\n    command: [\"nsenter\", \"-t\", \"1\", \"-m\", \"--\", \"sh\", \"-c\", \"true\"]\n    securityContext:\n      privileged: true\n    volumeMounts:\n    - name: h\n      mountPath: /host\n  volumes:\n  - name: h\n    hostPath:\n      path: /\n"
                    ),
                    0o600,
                )
                .expect(path)
        }
        3 => {
            let path = format!("/usr/share/containers/oci/hooks.d/{name}.json");
            let program = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(77, "a hook that runs a hidden program with every container")
                .helper(&program)
                .file(
                    &path,
                    format!(r#"{{"version":"1.0.0","hook":{{"path":"{program}"}},"when":{{"always":true}},"stages":["prestart"]}}"#),
                    0o644,
                )
                .expect(path)
                .expect(program)
        }
        _ => docker(
            "a container whose start command reaches out of it",
            host(
                r#"["/root/.ssh:/k","/var/spool/cron:/c"]"#,
                &format!(
                    r#""Privileged":true,"ExtraHosts":["c2:{}"],"#,
                    nowhere(random).trim_end_matches(":9")
                ),
            ),
        ),
    }
}

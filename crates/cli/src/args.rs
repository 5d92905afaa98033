//! The command line.

mod isolation;

use clap::{Args, Parser, Subcommand};
pub(crate) use isolation::{Isolate, IsolationGuard, Release};
use std::ffi::OsString;
use std::path::PathBuf;

/// From the first alarm to a verified server back on the network.
#[derive(Debug, Parser)]
#[command(name = "calma", version, about, max_term_width = 80, disable_help_subcommand = true)]
#[command(after_help = "Without a command, calma says where you are and what comes next.\n\
    Exit codes: 0 nothing of weight found, 1 findings, 2 wrong use, 3 something important\n\
    could not be seen, 4 refused, 5 failed, 130 interrupted.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at this host, or at a mounted root, and say what is wrong; changes nothing
    Triage(Triage),
    /// Do it on other hosts over ssh; keys, case and judgement stay here
    At(At),
    /// Read a story or a finding of the newest case
    Show(Show),
    /// Write the report: one page that opens in any browser, without a network
    Report(Report),
    /// Stop what was found and keep it: freeze, preserve, unhook, kill, quarantine; shown first
    Contain(Contain),
    /// Take back what calma did, the last step first; without a step it lists them
    Undo(Undo),
    /// Cut this host off the network, keeping your session; shown first, on trial, proved
    Isolate(Isolate),
    /// Open the network again, all of it or port by port
    Release(Release),
    /// Hear from this machine whether a suspect host is silent, and sign what was heard
    Witness(Witness),
    /// Note words in the case, also about a finding: what there is no time for now
    Note(Note),
    /// Bring a removable disk's data down to it, and say when it can be pulled
    Eject(Eject),
    /// Show, verify or export a case
    Case(CaseArguments),
    /// The observing side; started by calma itself
    #[command(hide = true)]
    HostSide(HostSide),
    /// The guard of an isolation; started by the action that isolates
    #[command(hide = true)]
    IsolationGuard(IsolationGuard),
    /// The acting side; started by calma itself
    #[command(hide = true)]
    ActSide,
}

/// Arguments of `triage`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Triage {
    /// A mounted root to look at instead of the running system
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Folder of the case (made if it is not there)
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
    /// Finish the interrupted look in this case
    #[arg(long, requires = "case", conflicts_with = "fresh")]
    pub(crate) resume: bool,
    /// Look again from the start, into the same case
    #[arg(long, requires = "case")]
    pub(crate) fresh: bool,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// With --json: every fact too
    #[arg(long, requires = "json")]
    pub(crate) facts: bool,
    /// Only what is gone soon: processes, connections, kernel
    #[arg(long)]
    pub(crate) quick: bool,
    /// Stop after so many seconds and keep what was seen
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_time: Option<u64>,
    /// Do not hold back for the host's other work
    #[arg(long)]
    pub(crate) hurry: bool,
    /// Keep the whole environment of processes, secrets included
    #[arg(long)]
    pub(crate) full_environ: bool,
    /// Leave out the look for hidden processes over every process id
    #[arg(long)]
    pub(crate) no_pid_range: bool,
    /// Walk network and user-space file systems too; they may hang
    #[arg(long)]
    pub(crate) network_mounts: bool,
    /// Search files and memory for your YARA rules (a file, or a folder with *.yar and *.yara)
    #[arg(long, value_name = "DIR")]
    pub(crate) yara: Vec<PathBuf>,
    /// Search the memory of every process for them, or only where a program stands out
    #[arg(long, value_name = "WHICH", value_enum, default_value_t, requires = "yara")]
    pub(crate) yara_memory: YaraMemory,
    /// Compare everything with your lists of signs: plain, CSV, MISP or STIX 2.1
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) ioc: Vec<PathBuf>,
}

/// Whose memory is searched for rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum YaraMemory {
    /// Of processes whose program is deleted, in memory alone, or no package's
    #[default]
    Suspect,
    /// Of every process
    All,
}

/// Arguments of `at`.
#[derive(Debug, Args)]
#[command(subcommand_precedence_over_arg = true)]
pub(crate) struct At {
    /// Where to look, as ssh understands it: USER@HOST
    #[arg(required = true, value_name = "USER@HOST")]
    pub(crate) hosts: Vec<String>,
    /// Become root there with sudo (never asks for a password)
    #[arg(long)]
    pub(crate) sudo: bool,
    /// How many hosts at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
    /// Let calma's program stand on a disk of the host if no memory-backed place can run it
    #[arg(long)]
    pub(crate) allow_disk: bool,
    #[command(subcommand)]
    pub(crate) command: AtCommand,
}

/// What can be done on another host.
#[derive(Debug, Subcommand)]
pub(crate) enum AtCommand {
    /// Look at them and say what is wrong; changes nothing
    Triage(Triage),
    /// Stop there what was found, and keep it here; shown first
    Contain(Contain),
    /// Take back what calma did there, the last step first; without a step it lists them
    Undo(Undo),
    /// Write words into the journal, for what there is no time for now
    Note(Note),
    /// Cut it off the network, keeping your way in; shown first, on trial, proved
    Isolate(Isolate),
    /// Open its network again, all of it or port by port
    Release(Release),
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A story's number, a finding's key, `secrets` or `gaps`
    pub(crate) what: Option<String>,
    /// With the records it stands on
    #[arg(long)]
    pub(crate) raw: bool,
    /// The small things
    #[arg(long)]
    pub(crate) low: bool,
    /// Compare the case with your lists of signs: plain, CSV, MISP or STIX 2.1
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) ioc: Vec<PathBuf>,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The cases' folders; the newest one if none is given; several hosts of one
    /// incident give an index of what they share
    #[arg(value_name = "CASE")]
    pub(crate) cases: Vec<PathBuf>,
    /// Where to write, to hand it on: secrets, names and addresses are replaced.
    /// Without it, the page goes into the case, as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// With --out: replace nothing
    #[arg(long)]
    pub(crate) no_redact: bool,
}

/// Arguments of `contain`.
#[derive(Debug, Args)]
pub(crate) struct Contain {
    /// Only these stories, by number
    pub(crate) stories: Vec<u32>,
    /// Show the plan and change nothing; with --plan also save it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do what is ticked without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Do these steps of the plan and no other
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) only: Vec<u32>,
    /// Leave these steps of the plan out
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) except: Vec<u32>,
    /// A plan saved by --dry-run, perhaps with steps removed
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Move quarantined files to this disk (a USB stick) instead of into the case
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// With --to: encrypt them to this age recipient (age1…), or to the one in this file
    #[arg(long, value_name = "KEY", requires = "to")]
    pub(crate) encrypt_to: Option<String>,
    /// End servers of databases too, whatever they are writing
    #[arg(long)]
    pub(crate) even_databases: bool,
    /// Watch so many seconds afterwards whether anything comes back
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) watch: u64,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Finish what an earlier run was cut off at
    #[arg(long, conflicts_with_all = ["dry_run", "take_back"])]
    pub(crate) finish: bool,
    /// Take back what an earlier run was cut off at
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) take_back: bool,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// Steps of the journal, by number
    pub(crate) steps: Vec<u64>,
    /// All of them
    #[arg(long, conflicts_with = "steps")]
    pub(crate) all: bool,
    /// Show what would be taken back and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take it back without asking; you have cut the server off, or do not need to
    #[arg(long)]
    pub(crate) yes: bool,
    /// A folder with files that contain --to moved, where it is another one by now
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// The age key file that opens files encrypted by --encrypt-to
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `witness`.
#[derive(Debug, Args)]
pub(crate) struct Witness {
    /// The suspect's address or hardware address; several if it has several. Without
    /// one, every frame that comes in counts
    #[arg(long, value_name = "ADDR|MAC")]
    pub(crate) host: Vec<String>,
    /// The interface to hear on; the one that leads to the host if not given
    #[arg(long, value_name = "IF")]
    pub(crate) interface: Option<OsString>,
    /// Your own session, which is no leak: its peer, and the suspect's port it uses
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) kept: Vec<String>,
    /// Stop after so many seconds; without it, at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// Where canaries are answered (UDP and TCP)
    #[arg(long, value_name = "PORT", default_value_t = calma_isolate::canary::PORT)]
    pub(crate) port: u16,
    /// The key of an isolation whose guard is to be missed here; a new one if not given
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Bytes of the kernel's queue; what does not fit is counted, and then nothing is proven
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, hide = true)]
    pub(crate) buffer: usize,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Copy the sealed log into this file, to carry it to the host
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of the case that holds the log (made if it is not there)
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `note`.
#[derive(Debug, Args)]
pub(crate) struct Note {
    /// The words; without them, the notes so far
    pub(crate) words: Vec<String>,
    /// The finding they are about, by its key
    #[arg(long, value_name = "KEY", requires = "words")]
    pub(crate) finding: Vec<String>,
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `eject`.
#[derive(Debug, Args)]
pub(crate) struct Eject {
    /// Where the disk is mounted; the only removable one if not given
    pub(crate) disk: Option<PathBuf>,
}

/// Arguments of `case`.
#[derive(Debug, Args)]
pub(crate) struct CaseArguments {
    #[command(subcommand)]
    pub(crate) command: CaseCommand,
}

/// What can be done with a case.
#[derive(Debug, Subcommand)]
pub(crate) enum CaseCommand {
    /// What the case holds
    Show(Folder),
    /// Whether it is what calma wrote, bit by bit
    Verify(Folder),
    /// Copy it whole, or redacted for others to read
    Export(Export),
}

/// Which case.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The case's folder; the newest one if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
}

/// Arguments of `case export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) folder: Folder,
    /// Where to write; standard output if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// The facts as JSON lines, without columns that may hold secrets, instead of the whole case
    #[arg(long)]
    pub(crate) redacted: bool,
    /// Every instant of every fact, for Timesketch (JSON lines)
    #[arg(long, value_name = "FILE")]
    pub(crate) timesketch: Option<PathBuf>,
    /// Every finding and fact in the Elastic Common Schema (JSON lines)
    #[arg(long, value_name = "FILE")]
    pub(crate) ecs: Option<PathBuf>,
    /// The files' times as a bodyfile, for mactime
    #[arg(long, value_name = "FILE")]
    pub(crate) bodyfile: Option<PathBuf>,
    /// With these three: keep secrets, names and addresses instead of stand-ins
    #[arg(long)]
    pub(crate) no_redact: bool,
}

/// Arguments of the observing side.
#[derive(Debug, Args)]
pub(crate) struct HostSide {
    #[arg(long)]
    pub(crate) quick: bool,
    #[arg(long)]
    pub(crate) full_environ: bool,
    #[arg(long)]
    pub(crate) hurry: bool,
    #[arg(long)]
    pub(crate) no_pid_range: bool,
    /// Length of the rules, which come first on standard input
    #[arg(long)]
    pub(crate) rules: Option<usize>,
    #[arg(long)]
    pub(crate) rules_in_all_memory: bool,
    #[arg(long)]
    pub(crate) digests: bool,
    #[arg(long)]
    pub(crate) network_mounts: bool,
    #[arg(long)]
    pub(crate) max_time: Option<u64>,
    #[arg(long)]
    pub(crate) root: Option<OsString>,
    #[arg(long)]
    pub(crate) done: Vec<String>,
    #[arg(long, default_value = "")]
    pub(crate) continues: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_in_order() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn hosts_and_the_command_behind_them_are_told_apart() {
        let parsed =
            Arguments::try_parse_from(["calma", "at", "root@a", "b", "--sudo", "triage", "--quick"]).unwrap();
        let Some(Command::At(At { hosts, sudo, command: AtCommand::Triage(triage), .. })) = parsed.command
        else {
            panic!()
        };
        assert_eq!(hosts, ["root@a", "b"]);
        assert!(sudo && triage.quick);
    }
}

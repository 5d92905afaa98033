//! Collector: what cron, anacron and at run.

use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings};
use calma_formats::{at_job, crontab};
use calma_host::{FileKind, resolve};
use calma_record::{Source, Text, kinds::ScheduledJob};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "scheduled-jobs",
        doing: "Looking at scheduled jobs",
        doc: "jobs of cron, anacron and at",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "scheduled jobs";

/// Directories whose programs run at set times (run-parts(8)).
const PARTS: &[(&str, &str)] = &[
    ("/etc/cron.hourly", "hourly"),
    ("/etc/cron.daily", "daily"),
    ("/etc/cron.weekly", "weekly"),
    ("/etc/cron.monthly", "monthly"),
    ("/etc/cron.yearly", "yearly"),
    ("/etc/periodic/15min", "every 15 minutes"),
    ("/etc/periodic/hourly", "hourly"),
    ("/etc/periodic/daily", "daily"),
    ("/etc/periodic/weekly", "weekly"),
    ("/etc/periodic/monthly", "monthly"),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    table(context, b"/etc/crontab", None, out)?;
    for path in settings::files(context, b"/etc/cron.d", WHAT, out)? {
        table(context, &path, None, out)?;
    }
    for directory in
        [&b"/var/spool/cron/crontabs"[..], b"/var/spool/cron/tabs", b"/var/spool/cron", b"/etc/crontabs"]
    {
        for path in settings::files(context, directory, WHAT, out)? {
            let user = Text::from(Text::from(path.as_slice()).file_name());
            table(context, &path, Some(user), out)?;
        }
    }
    anacron(context, out)?;
    for (directory, when) in PARTS {
        parts(context, directory.as_bytes(), when, out)?;
    }
    for directory in [&b"/var/spool/cron/atjobs"[..], b"/var/spool/at", b"/var/spool/atjobs"] {
        for path in settings::files(context, directory, WHAT, out)? {
            at(context, &path, out)?;
        }
    }
    Flow::Continue(())
}

/// A row about `path` with what is known of its file.
fn row(context: &Context, path: &[u8], scheduler: &str) -> Option<ScheduledJob> {
    let tree = context.host.tree();
    let real = resolve(tree, path).ok()?;
    let meta = tree.meta(&real).ok()?;
    let (package, packages_known) = match context.packages().owner(&real) {
        Owner::Package(package) => (Some(package), true),
        Owner::Nobody => (None, true),
        Owner::Unknown => (None, false),
    };
    let scheduler = scheduler.to_owned();
    let path = path.into();
    let (uid, mode) = (meta.uid, meta.mode);
    (meta.kind == FileKind::File).then(|| ScheduledJob {
        scheduler,
        path,
        package,
        packages_known,
        uid,
        mode,
        ..ScheduledJob::default()
    })
}

fn is_root(context: &Context, user: &Text) -> bool {
    *user == "root" || context.accounts().iter().any(|account| account.name == *user && account.uid == 0)
}

/// A table of cron; `user` is the account of a table that names none itself.
fn table(context: &Context, path: &[u8], user: Option<Text>, out: &mut Out) -> Flow {
    let Some(row) = row(context, path, "cron") else { return unread(context, path, out) };
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for job in crontab::parse(&bytes, user.is_none()) {
        let user = job.user.or_else(|| user.clone()).unwrap_or_default();
        let as_root = is_root(context, &user);
        let source = if user == "root" || as_root { Source::file(path) } else { Source::owned_file(path) };
        describe::command(context, &crontab::shell_text(job.command.as_bytes()), out)?;
        environment(context, &job.environment, out)?;
        let fact = ScheduledJob {
            line: job.line,
            when: job.when,
            command: job.command,
            user,
            as_root,
            environment: job.environment,
            ..row.clone()
        };
        out.fact(source, fact)?;
    }
    out.flow()
}

/// Says why a table that is there was not read.
fn unread(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    match context.host.tree().read(path, 1) {
        Ok(_) => out.flow(),
        Err(error) => out.unseen(WHAT, &error),
    }
}

fn environment(context: &Context, environment: &[Text], out: &mut Out) -> Flow {
    for setting in environment {
        describe::command(context, setting.as_bytes(), out)?;
    }
    out.flow()
}

fn anacron(context: &Context, out: &mut Out) -> Flow {
    let path = b"/etc/anacrontab";
    let Some(row) = row(context, path, "anacron") else { return unread(context, path, out) };
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for job in crontab::anacron(&bytes) {
        describe::command(context, job.command.as_bytes(), out)?;
        environment(context, &job.environment, out)?;
        let fact = ScheduledJob {
            line: job.line,
            when: job.when,
            command: job.command,
            user: "root".into(),
            as_root: true,
            environment: job.environment,
            ..row.clone()
        };
        out.fact(Source::file(path), fact)?;
    }
    out.flow()
}

/// The programs of a directory. Names that begin with a dot and files that may not be executed are never run.
fn parts(context: &Context, directory: &[u8], when: &str, out: &mut Out) -> Flow {
    for path in settings::files(context, directory, WHAT, out)? {
        let text = Text::from(path.as_slice());
        let Some(row) = row(context, &path, "run-parts").filter(|row| row.mode & 0o111 != 0) else {
            continue;
        };
        if text.file_name().starts_with(b".") {
            continue;
        }
        describe::file(context, &path, out)?;
        let fact =
            ScheduledJob { when: when.into(), command: text, user: "root".into(), as_root: true, ..row };
        out.fact(Source::file(path.as_slice()), fact)?;
    }
    out.flow()
}

/// A waiting job of at.
fn at(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(row) = row(context, path, "at") else { return unread(context, path, out) };
    if path.rsplit(|b| *b == b'/').next().is_some_and(|name| name.starts_with(b".")) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let job = at_job::parse(&bytes);
    let uid = job.uid.unwrap_or(row.uid);
    let account = context.accounts().iter().find(|account| account.uid == uid);
    let user = account.map_or_else(|| uid.to_string().into(), |account| account.name.clone());
    // Names are meant from the directory in which the job was asked for.
    let command = if job.directory.is_empty() {
        job.command
    } else {
        [b"cd ", job.directory.as_bytes(), b"\n", job.command.as_bytes()].concat().into()
    };
    describe::command(context, command.as_bytes(), out)?;
    // The whole environment of whoever asked is in the file: kept is what makes programs load or run other files.
    let loads = |setting: &Text| {
        [&b"LD_"[..], b"PATH=", b"BASH_ENV=", b"ENV=", b"PYTHON", b"PERL"]
            .iter()
            .any(|name| setting.as_bytes().starts_with(name))
    };
    let environment: Vec<Text> = job.environment.into_iter().filter(loads).collect();
    self::environment(context, &environment, out)?;
    let fact = ScheduledJob {
        line: job.line,
        when: "once".into(),
        command,
        user,
        as_root: uid == 0,
        environment,
        ..row
    };
    let source = if uid == 0 { Source::file(path) } else { Source::owned_file(path) };
    out.fact(source, fact)
}

//! `calma case export --timesketch|--ecs|--bodyfile`: the field's formats, from the case alone.

use crate::args::Export;
use crate::redaction::Redaction;
use crate::show;
use calma_case::Case;
use calma_record::{Fact, Schema, Text};
use calma_recovery::{Told, each_row, learn, write_bodyfile};
use calma_views::export::{Seen, bodyfile, cited, ecs, timesketch};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Lines of files that are kept for a case without a walk.
const OTHERS: usize = 200_000;

/// Writes what was asked for, if anything was. Returns the files.
pub(crate) fn run_if_asked(case: &Case, arguments: &Export) -> anyhow::Result<Vec<PathBuf>> {
    let asked = [&arguments.timesketch, &arguments.ecs, &arguments.bodyfile];
    if asked.iter().all(|file| file.is_none()) { Ok(Vec::new()) } else { run(case, arguments) }
}

fn run(case: &Case, arguments: &Export) -> anyhow::Result<Vec<PathBuf>> {
    let mut page = show::reviewed(case)?;
    let mut redaction = if arguments.no_redact { None } else { Some(Redaction::of(case, &page)?) };
    let cited = cited(&page);
    if let Some(redaction) = &mut redaction {
        redaction.page(&mut page);
    }
    let (started, host) = (page.run.started, page.host.clone());
    let mut to_timesketch = made(arguments.timesketch.as_deref())?;
    let mut to_ecs = made(arguments.ecs.as_deref())?;
    let mut to_bodyfile = made(arguments.bodyfile.as_deref())?;
    if let Some(to) = &mut to_ecs {
        for finding in &page.findings {
            writeln!(to, "{}", ecs::alert(finding, started, &host))?;
        }
    }
    let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
    let mut failed: std::io::Result<()> = Ok(());
    let (mut walked, mut others) = (false, Vec::new());
    each_row(case, |told| match told {
        Told::Kind(schema) => learn(&mut schemas, schema),
        Told::Row(kind, mut row) if failed.is_ok() => {
            let Some(schema) = schemas.get(kind) else { return };
            if let Some(Redaction { redactor, .. }) = &mut redaction {
                redactor.row(kind, &mut row.columns);
                row.from.place = redactor.text(&row.from.place);
            }
            let seen = Seen { schema, record: &row.record, from: &row.from, columns: &row.columns };
            failed = (|| {
                if let Some(to) = &mut to_timesketch {
                    for line in timesketch::lines(&seen, &host, &cited) {
                        writeln!(to, "{line}")?;
                    }
                }
                if let Some(to) = &mut to_ecs {
                    writeln!(to, "{}", ecs::state(&seen, started, &host, &cited))?;
                }
                if to_bodyfile.is_some() && others.len() < OTHERS {
                    others.extend(bodyfile::line(&seen));
                }
                Ok(())
            })();
        }
        Told::Bulk(Fact::WalkedDirectory(row)) if failed.is_ok() => {
            walked = true;
            if let Some(to) = &mut to_bodyfile {
                let mut shown = |path: &Text| match &mut redaction {
                    Some(Redaction { redactor, .. }) => redactor.text(path),
                    None => path.clone(),
                };
                failed = write_bodyfile(row, &mut shown, to);
            }
        }
        _ => {}
    })?;
    failed?;
    // The walk met every file; without it, the files that other parts of the look described are the best there is.
    if let Some(to) = to_bodyfile.as_mut().filter(|_| !walked) {
        for line in others {
            writeln!(to, "{line}")?;
        }
    }
    for to in [to_timesketch, to_ecs, to_bodyfile].into_iter().flatten() {
        to.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    }
    if let Some(redaction) = &redaction {
        redaction.keep(case)?;
    }
    Ok([&arguments.timesketch, &arguments.ecs, &arguments.bodyfile].into_iter().flatten().cloned().collect())
}

/// A new file that only this user can read; never one that is there.
fn made(file: Option<&Path>) -> anyhow::Result<Option<BufWriter<File>>> {
    let Some(file) = file else { return Ok(None) };
    let mut made = None;
    crate::paper::hand_on(file, |to| {
        made = Some(to.try_clone()?);
        Ok(())
    })?;
    Ok(made.map(|to| BufWriter::with_capacity(1 << 16, to)))
}

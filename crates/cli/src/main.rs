//! The binary `calma`: reads the arguments, runs one command, maps its result to a documented exit code.
#![forbid(unsafe_code)]

mod args;
mod changes;
mod commands;
mod exit;
mod given;
mod machine;
mod notices;
mod paper;
mod places;
mod progress;
mod redaction;
mod show;

use args::{Arguments, Command};
use clap::Parser as _;
use exit::Exit;
use machine::Machine;
use std::process::ExitCode;

/// musl's own takes a lock for every piece and gives each larger one back to the kernel at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if commands::worker::is_asked() {
        return commands::worker::run();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, everything else is wrong use.
            let wrong = error.use_stderr();
            drop(error.print());
            return if wrong { Exit::WrongUse.into() } else { Exit::Done.into() };
        }
    };
    let result = match arguments.command {
        None => commands::home::run(),
        Some(Command::Triage(triage)) => commands::triage::run(&triage),
        Some(Command::At(at)) => commands::at::run(&at),
        Some(Command::Show(show)) => commands::show::run(&show),
        Some(Command::Report(report)) => commands::report::run(&report),
        Some(Command::Isolate(isolate)) => commands::isolate::run(&isolate, &Machine::Here),
        Some(Command::Release(release)) => commands::isolate::release(&release, &Machine::Here),
        Some(Command::Witness(witness)) => commands::witness::run(&witness),
        Some(Command::Contain(contain)) => commands::contain::run(&contain, &Machine::Here),
        Some(Command::Undo(undo)) => commands::undo::run(&undo, &Machine::Here),
        Some(Command::Note(note)) => commands::note::run(&note, &Machine::Here),
        Some(Command::Eject(eject)) => commands::eject::run(&eject),
        Some(Command::Case(case)) => commands::case::run(&case),
        Some(Command::ActSide) => commands::act_side::run(),
        Some(Command::HostSide(host_side)) => commands::host_side::run(&host_side),
        Some(Command::IsolationGuard(guard)) => commands::isolation_guard::run(&guard),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{}", commands::complaint(&error));
            exit::of(&error).into()
        }
    }
}

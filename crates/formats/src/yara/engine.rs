//! Rules compiled, ready to be searched for.

use super::{RuleFile, RuleSet};
use boreal::Compiler;
use boreal::compiler::CompilerParams;
use boreal::scanner::{ScanParams, Scanner};
use std::time::Duration;

/// Names that rule sets in the wild expect from whoever runs them.
pub(super) const NAMES: [&str; 5] = ["filename", "filepath", "extension", "filetype", "owner"];

/// How long one file or process may be searched; the worker's own bound lies behind it.
const LONGEST: Duration = Duration::from_secs(20);
/// Places recorded of one string.
pub(super) const PLACES: u32 = 8;

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) scanner: Scanner,
    /// The rules' own files, by length and digest.
    pub(super) own: Vec<(u64, calma_record::Digest)>,
}

/// A compiler that follows no include and knows the usual names.
pub(super) fn compiler() -> Compiler {
    // What rules print for their author is not for anybody here.
    let console = boreal::module::Console::with_callback(|_| {});
    let mut compiler = boreal::compiler::CompilerBuilder::new().add_module(console).build();
    compiler
        .set_params(CompilerParams::default().disable_includes(true).disable_unknown_escape_warning(true));
    for name in NAMES {
        compiler.define_symbol(name, "");
    }
    compiler
}

/// Compiles rules that were checked. What does not compile all the same is left out, and its file named.
pub fn compile(set: &RuleSet) -> (Rules, Vec<String>) {
    let (mut compiler, mut left_out) = (compiler(), Vec::new());
    for RuleFile { name, text } in &set.files {
        if compiler.add_rules_str_in_namespace(text, name).is_err() {
            left_out.push(name.clone());
        }
    }
    let mut scanner = compiler.finalize();
    scanner.set_scan_params(
        ScanParams::default()
            .timeout_duration(Some(LONGEST))
            .compute_full_matches(true)
            .string_max_nb_matches(1000)
            .match_max_length(64),
    );
    (Rules { scanner, own: set.own.clone() }, left_out)
}

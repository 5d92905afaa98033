//! What the user must know before anything else.

use calma_record::{Gap, Run};

/// Sentences for the top of the screen.
pub(crate) fn of(run: &Run, gaps: &[Gap]) -> Vec<String> {
    let mut notices = Vec::new();
    if run.target == "live" && run.uid != 0 {
        notices.push(format!(
            "You are not root there (user id {}): other users' programs, open files and connections stay unseen.",
            run.uid
        ));
    }
    for gap in gaps.iter().filter(|gap| gap.important && gap.what.starts_with("this kind of system")) {
        notices.push(format!("{}: {}.", gap.what, gap.why));
    }
    notices
}

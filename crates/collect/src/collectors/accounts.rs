//! Collector: accounts.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility};
use calma_record::{Source, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "accounts",
        doing: "Looking at accounts",
        doc: "accounts of the password file",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(10),
    },
    collect,
};

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for account in context.accounts() {
        let fact = kinds::Account {
            name: account.name.clone(),
            uid: account.uid,
            gid: account.gid,
            home: account.home.clone(),
            shell: account.shell.clone(),
            line: account.line,
            no_password: account.password.is_empty(),
        };
        out.fact(Source::file("/etc/passwd"), fact)?;
    }
    Flow::Continue(())
}

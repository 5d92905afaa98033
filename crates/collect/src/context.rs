//! What collectors share: the host, the options, and answers that several of them need.

use crate::net::{Descriptors, Networks};
use crate::owner::Packages;
use calma_formats::modules::Symbols;
use calma_formats::passwd::{self, Account};
use calma_host::{Host, HostError, Workers};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

/// What the user asked for, as far as collecting goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Volatile state only.
    pub quick: bool,
    /// Take the whole environment of processes, secrets included.
    pub full_environ: bool,
    /// Do not hold back for the host's load.
    pub hurry: bool,
    /// Leave out the look over the whole range of process ids.
    pub no_pid_range: bool,
    /// Walk network and user-space file systems too.
    pub network_mounts: bool,
    /// The user's rules, as the keeper made them ready; the host side's own form of them.
    pub rules: Option<Arc<[u8]>>,
    /// Take digests of every file, for the user's lists of signs.
    pub digests: bool,
    /// Search the memory of every process for them, not only of those whose program stands out.
    pub rules_in_all_memory: bool,
}

/// What collectors share.
pub struct Context {
    /// The machine.
    pub host: Arc<dyn Host>,
    /// What was asked.
    pub options: Options,
    /// Who reads hostile binary files.
    pub workers: Workers,
    accounts: OnceLock<Vec<Account>>,
    packages: OnceLock<Packages>,
    symbols: OnceLock<Result<Symbols, HostError>>,
    described: Mutex<BTreeSet<Vec<u8>>>,
    networks: OnceLock<Networks>,
    searchers: OnceLock<Workers>,
}

impl Context {
    /// A context for one run that reads hostile binary files in place: for hosts made of values.
    pub fn new(host: Arc<dyn Host>, options: Options) -> Arc<Self> {
        Self::with_workers(host, options, Workers::in_place())
    }

    /// A context for one run that reads hostile binary files with these workers.
    pub fn with_workers(host: Arc<dyn Host>, options: Options, workers: Workers) -> Arc<Self> {
        Arc::new(Self {
            host,
            options,
            workers,
            accounts: OnceLock::new(),
            packages: OnceLock::new(),
            symbols: OnceLock::new(),
            described: Mutex::default(),
            networks: OnceLock::new(),
            searchers: OnceLock::new(),
        })
    }

    /// The accounts of /etc/passwd: calma's own reading, no name service.
    pub fn accounts(&self) -> &[Account] {
        self.accounts.get_or_init(|| match self.host.tree().read(b"/etc/passwd", 16 << 20) {
            Ok(content) => passwd::parse(&content.bytes),
            Err(_) => Vec::new(),
        })
    }

    /// The host's package list, read once.
    pub fn packages(&self) -> &Packages {
        self.packages.get_or_init(|| Packages::read(self.host.tree()))
    }

    /// All network namespaces, found once.
    pub(crate) fn networks(self: &Arc<Self>) -> &Networks {
        self.networks.get_or_init(|| Networks::find(self, &Descriptors::scan(self, false)))
    }

    /// Workers that know the user's rules; `None` if there are no rules.
    pub(crate) fn searchers(&self) -> Option<&Workers> {
        let rules = self.options.rules.as_ref()?;
        Some(self.searchers.get_or_init(|| crate::jobs::searchers(&self.workers, rules)))
    }

    /// The process ids of all confined readers so far.
    pub(crate) fn reader_pids(&self) -> Vec<u32> {
        let mut pids = self.workers.pids();
        pids.extend(self.searchers.get().map(Workers::pids).unwrap_or_default());
        pids
    }

    /// The kernel's symbols, read once.
    pub(crate) fn symbols(&self) -> &Result<Symbols, HostError> {
        self.symbols.get_or_init(|| crate::symbols::read(self))
    }

    /// Whether nobody described `path` before in this run.
    pub(crate) fn first_time(&self, path: &[u8]) -> bool {
        self.described.lock().is_ok_and(|mut described| described.insert(path.to_vec()))
    }

    /// Every home directory: of accounts, and folders of /home and /root besides, which an account may have lost.
    pub fn homes(&self) -> Vec<Vec<u8>> {
        let mut homes: BTreeSet<Vec<u8>> = self
            .accounts()
            .iter()
            .map(|account| account.home.as_bytes().to_vec())
            .filter(|home| home.starts_with(b"/") && home.len() > 1)
            .collect();
        homes.insert(b"/root".to_vec());
        for entry in self.host.tree().list(b"/home").unwrap_or_default() {
            homes.insert(calma_host::join(b"/home", entry.name.as_bytes()));
        }
        homes.into_iter().collect()
    }
}

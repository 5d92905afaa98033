//! Collector: kernel modules, in every view the kernel has of them.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, symbols};
use calma_formats::modules::{self, Symbols};
use calma_host::{HostError, join};
use calma_record::{Source, Text, View, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "modules",
        doing: "Looking at kernel modules",
        doc: "kernel modules in /proc/modules, /sys/module, the kernel's symbols and its log",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(20),
    },
    collect,
};

type Names = BTreeSet<Vec<u8>>;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let (mut views, errors) = Views::read(context, false);
    for error in &errors {
        out.unseen("one of the kernel's views of its modules", error)?;
    }
    // What differs may be a module that was loaded or removed meanwhile: only what differs three times counts.
    let mut odd = views.differing();
    for _ in 0..2 {
        if odd.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(60));
        let (again, _) = Views::read(context, true);
        odd = odd.intersection(&again.differing()).cloned().collect();
        views = again;
    }
    let release = context.host.kernel().map(|kernel| kernel.identity().release).unwrap_or_default();
    let folder = join(b"/lib/modules", release.as_bytes());
    let dep =
        tree.read(&join(&folder, b"modules.dep"), 32 << 20).map(|content| content.bytes).unwrap_or_default();
    let files = modules::files(&dep);
    let logged = logged(context);
    for name in views.all() {
        let listed = views.list.as_ref().and_then(|list| list.get(&name));
        let file = files.get(&name).map(|file| join(&folder, file.as_bytes()));
        let small = |entry: &str| views.attribute(context, &name, entry);
        let taint = listed.map(|module| module.taint.clone()).filter(|taint| !taint.is_empty());
        let fact = kinds::Module {
            in_list: views.list.as_ref().map(|list| list.contains_key(&name)),
            in_sys: views.sys.as_ref().map(|sys| sys.contains(&name)),
            in_symbols: views.symbols.as_ref().map(|symbols| symbols.contains(&name)),
            named_by: views.named.get(&name).cloned().unwrap_or_default(),
            state: listed.map(|module| module.state.clone()).unwrap_or_else(|| small("initstate")),
            size: listed.map_or(0, |module| module.size),
            taint: taint.unwrap_or_else(|| small("taint")),
            file: file.as_deref().map(Text::from),
            files_known: !files.is_empty(),
            logged: logged.contains(&name),
            confirmed: odd.contains(&name),
            name: name.as_slice().into(),
        };
        let outside = fact.taint.as_bytes().iter().any(|letter| matches!(letter, b'O' | b'E' | b'F'));
        let from = Source::kernel(View::CrossView, "/proc/modules, /sys/module, /proc/kallsyms");
        out.fact(from, fact)?;
        if let (Some(file), true) = (file, outside || odd.contains(&name)) {
            describe::file(context, &file, out)?;
        }
    }
    // Modules that the log names and no view shows: what tainted the kernel and is gone, or hides.
    for name in logged.difference(&views.all()) {
        let fact = kinds::Module {
            in_list: views.list.as_ref().map(|_| false),
            name: name.as_slice().into(),
            logged: true,
            file: files.get(name).map(|file| join(&folder, file.as_bytes()).into()),
            files_known: !files.is_empty(),
            ..kinds::Module::default()
        };
        out.fact(Source::file("/var/log"), fact)?;
    }
    out.flow()
}

/// The kernel's views of its modules at one time; `None` for a view that could not be had.
#[derive(Debug, Default)]
struct Views {
    list: Option<BTreeMap<Vec<u8>, modules::Module>>,
    sys: Option<Names>,
    symbols: Option<Names>,
    named: BTreeMap<Vec<u8>, Vec<Text>>,
    passing: Names,
}

impl Views {
    fn read(context: &Context, again: bool) -> (Self, Vec<HostError>) {
        let tree = context.host.tree();
        let (mut views, mut errors) = (Self::default(), Vec::new());
        match tree.read(b"/proc/modules", 8 << 20) {
            Ok(content) => {
                let modules = modules::parse(&content.bytes);
                views.list = Some(
                    modules.into_iter().map(|module| (module.name.as_bytes().to_vec(), module)).collect(),
                );
            }
            Err(error) => errors.push(error),
        }
        match tree.list(b"/sys/module") {
            Ok(entries) => {
                let mut names = Names::new();
                for entry in entries {
                    views.sys_module(context, entry.name.as_bytes(), &mut names);
                }
                views.sys = Some(names);
            }
            Err(error) => errors.push(error),
        }
        let names = |symbols: &Symbols| {
            Some(symbols.modules().map(<[u8]>::to_vec).collect()).filter(|n: &Names| !n.is_empty())
        };
        let symbols = if again { symbols::read(context) } else { Ok(Symbols::default()) };
        match if again { symbols.as_ref() } else { context.symbols().as_ref() } {
            Ok(symbols) => views.symbols = names(symbols),
            Err(error) => errors.push(error.clone()),
        }
        for (name, module) in views.list.iter().flatten() {
            for user in &module.used_by {
                views.named.entry(user.as_bytes().to_vec()).or_default().push(name.as_slice().into());
            }
            if module.state != "Live" {
                views.passing.insert(name.clone());
            }
        }
        // The list as it is after the slower views: a module removed meanwhile is in neither.
        (views, errors)
    }

    /// A folder of /sys/module with an `initstate` is a loaded module; without, it belongs to code built into the kernel.
    fn sys_module(&mut self, context: &Context, name: &[u8], names: &mut Names) {
        let tree = context.host.tree();
        let folder = join(b"/sys/module", name);
        let Ok(state) = tree.read(&join(&folder, b"initstate"), 64) else { return };
        names.insert(name.to_vec());
        if state.bytes.trim_ascii() != b"live" {
            self.passing.insert(name.to_vec());
        }
        for holder in tree.list(&join(&folder, b"holders")).unwrap_or_default() {
            let names = self.named.entry(holder.name.as_bytes().to_vec()).or_default();
            if !names.iter().any(|known| known.as_bytes() == name) {
                names.push(name.into());
            }
        }
    }

    /// A small file of the module's folder.
    fn attribute(&self, context: &Context, name: &[u8], entry: &str) -> Text {
        let path = join(&join(b"/sys/module", name), entry.as_bytes());
        let content = context.host.tree().read(&path, 64).map(|content| content.bytes).unwrap_or_default();
        content.trim_ascii().into()
    }

    /// Every name that any view shows.
    fn all(&self) -> Names {
        let mut all: Names = self.list.iter().flatten().map(|(name, _)| name.clone()).collect();
        all.extend(self.sys.iter().flatten().cloned());
        all.extend(self.symbols.iter().flatten().cloned());
        all.extend(self.named.keys().cloned());
        all
    }

    /// Names that one view shows and another lacks, without those that are just coming or going.
    fn differing(&self) -> Names {
        let here = |name: &Vec<u8>| {
            let list = self.list.as_ref().is_none_or(|list| list.contains_key(name));
            list && self.sys.as_ref().is_none_or(|sys| sys.contains(name))
        };
        self.all().into_iter().filter(|name| !here(name) && !self.passing.contains(name)).collect()
    }
}

/// Names that the host's logs of the kernel give as tainting, of the last few megabytes.
fn logged(context: &Context) -> Names {
    const LOGS: [&[u8]; 5] = [
        b"/var/log/dmesg",
        b"/var/log/kern.log",
        b"/var/log/kern.log.1",
        b"/var/log/messages",
        b"/var/log/syslog",
    ];
    let mut names = Names::new();
    for path in LOGS {
        if let Ok(content) = context.host.tree().read(path, 8 << 20) {
            names.extend(modules::tainting(&content.bytes));
        }
    }
    names
}

//! Collector: loaded BPF programs, where they are attached, and who holds them.

use crate::{Card, Collector, Context, Flow, Needs, Out, Patience, Volatility, describe, pids};
use calma_formats::{lines, modules::Symbols, mountinfo};
use calma_host::{BpfObject, BpfProgram, FileKind, Kernel, join};
use calma_record::{Gap, Source, Text, Timestamp, View, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "bpf",
        doing: "Looking at BPF programs",
        doc: "loaded BPF programs, where they are attached and which process holds them",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// `enum bpf_prog_type`, linux/bpf.h.
const KINDS: [&str; 33] = [
    "unspecified",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

/// `enum bpf_link_type`, in plain words.
const LINKS: [&str; 15] = [
    "something",
    "a raw tracepoint",
    "a function of the kernel",
    "a control group",
    "an iterator",
    "a network namespace",
    "an interface (XDP)",
    "a probe or tracepoint",
    "functions of the kernel",
    "kernel operations",
    "the packet filter",
    "an interface (tcx)",
    "functions of programs",
    "an interface (netkit)",
    "sockets",
];

/// Functions with which a program changes what others do or see (bpf-helpers(7)).
const STRONG: [&[u8]; 5] = [
    b"bpf_probe_write_user",
    b"bpf_override_return",
    b"bpf_send_signal",
    b"bpf_send_signal_thread",
    b"bpf_copy_to_user",
];

/// Attach types of control groups that are asked for (`enum bpf_attach_type`).
const ON_GROUPS: [(u32, &str); 8] = [
    (0, "incoming packets"),
    (1, "outgoing packets"),
    (2, "new sockets"),
    (3, "socket events"),
    (6, "devices"),
    (8, "bind"),
    (10, "connect"),
    (14, "sending datagrams"),
];

/// What keeps BPF objects: processes by descriptor, and files of bpf file systems.
#[derive(Debug, Default)]
struct Keepers {
    owners: BTreeMap<(BpfObject, u32), BTreeSet<u32>>,
    pins: BTreeMap<(BpfObject, u32), BTreeSet<Text>>,
    complete: bool,
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let Some(kernel) = context.host.kernel() else { return out.flow() };
    let ids = match kernel.bpf().ids(BpfObject::Program) {
        Ok(ids) => ids,
        Err(error) => {
            let gap = Gap::new("loaded BPF programs", error.why()).at("bpf");
            let gap = if error.is_unsupported() && !error.is_denied() { return out.flow() } else { gap };
            let instead = "run calma as root, outside of containers";
            return out.gap(gap.instead(instead));
        }
    };
    let mut keepers = keepers(context, out)?;
    pins(context, kernel, &mut keepers);
    let attached = attached(context, kernel, &mut keepers);
    let empty = Symbols::default();
    let symbols = context.symbols().as_ref().unwrap_or(&empty);
    let helpers = symbols.helpers();
    if helpers.is_empty() && !ids.is_empty() {
        let gap =
            Gap::new("which of the kernel's functions BPF programs call", "the kernel hides its addresses");
        out.gap(gap)?;
    }
    let (mut tags, mut tags_known) = (BTreeSet::new(), true);
    for id in &ids {
        let Ok(program) = kernel.bpf().program(*id) else { continue };
        tags_known &= !program.function_tags.is_empty();
        tags.extend(program.function_tags.iter().copied().chain([program.tag]).map(hexadecimal));
        let fact = fact(context, &program, &helpers, &keepers, &attached);
        for path in &fact.owner_programs {
            describe::file(context, path.as_bytes(), out)?;
        }
        out.fact(Source::kernel(View::Bpf, "bpf(2)"), fact)?;
    }
    unlisted(context, kernel, &keepers, if tags_known { Some(tags) } else { None }, out)
}

fn fact(
    context: &Context,
    program: &BpfProgram,
    helpers: &BTreeMap<i32, Vec<u8>>,
    keepers: &Keepers,
    attached: &BTreeMap<u32, Vec<(u32, String)>>,
) -> kinds::BpfProgram {
    let places = attached.get(&program.id).map(Vec::as_slice).unwrap_or_default();
    let mut keys = vec![(BpfObject::Program, program.id)];
    keys.extend(program.maps.iter().map(|map| (BpfObject::Map, *map)));
    keys.extend(places.iter().filter(|(link, _)| *link != 0).map(|(link, _)| (BpfObject::Link, *link)));
    let owners: BTreeSet<u32> =
        keys.iter().filter_map(|key| keepers.owners.get(key)).flatten().copied().collect();
    let pins: BTreeSet<Text> =
        keys.iter().filter_map(|key| keepers.pins.get(key)).flatten().cloned().collect();
    let programs: BTreeSet<Text> = owners.iter().filter_map(|pid| program_of(context, *pid)).collect();
    let now = context.host.clock().now().nanoseconds();
    let booted = now.saturating_sub(context.host.clock().since_boot().cast_signed());
    let mut strong: Vec<String> = program
        .calls
        .iter()
        .filter_map(|call| helpers.get(call))
        .filter(|name| STRONG.contains(&name.as_slice()))
        .map(|name| Text::from(name.as_slice()).to_string())
        .collect();
    strong.sort();
    kinds::BpfProgram {
        id: program.id,
        kind: name(&KINDS, program.kind),
        name: program.name.clone(),
        tag: hexadecimal(program.tag),
        loaded: Some(Timestamp::from_nanoseconds(booted.saturating_add(program.loaded.cast_signed()))),
        uid: program.uid,
        maps: program.maps.clone(),
        calls_known: program.instructions > 0 && !helpers.is_empty() && program.calls != [0],
        strong,
        owners: owners.into_iter().collect(),
        owner_programs: programs.into_iter().collect(),
        pins: pins.into_iter().collect(),
        attached: places.iter().map(|(_, place)| place.clone()).collect(),
        listed: true,
        owners_known: keepers.complete,
        seen_by: String::new(),
    }
}

fn name(names: &[&str], number: u32) -> String {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or_else(|| format!("type {number}"), |name| (*name).to_owned())
}

fn hexadecimal(tag: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(tag))
}

/// The program file of a process, without the mark of a file that has no name any more.
fn program_of(context: &Context, pid: u32) -> Option<Text> {
    let link = context.host.tree().link(format!("/proc/{pid}/exe").as_bytes()).ok()?;
    Some(link.strip_suffix(b" (deleted)").unwrap_or(&link).into())
}

/// What processes hold, by the links and the information of their descriptors (proc_pid_fdinfo(5)).
fn keepers(context: &Arc<Context>, out: &mut Out) -> std::ops::ControlFlow<(), Keepers> {
    let whole = pids::namespace(context, "self", "pid").is_ok_and(|namespace| namespace == 0xEFFF_FFFC);
    let mut keepers = Keepers { complete: whole, ..Keepers::default() };
    let tree = context.host.tree();
    for pid in pids::listed(context) {
        out.flow()?;
        let folder = format!("/proc/{pid}/fd");
        let entries = match tree.list(folder.as_bytes()) {
            Ok(entries) => entries,
            Err(error) => {
                if !error.is_missing() {
                    keepers.complete = false;
                    out.unseen("BPF objects that processes hold", &error)?;
                }
                continue;
            }
        };
        for entry in entries {
            let path = join(folder.as_bytes(), entry.name.as_bytes());
            let Ok(link) = tree.link(&path) else { continue };
            if !link.starts_with(b"anon_inode:bpf") && !link.starts_with(b"anon_inode:[perf_event]") {
                continue;
            }
            let info = join(format!("/proc/{pid}/fdinfo").as_bytes(), entry.name.as_bytes());
            let Ok(info) = tree.read(&info, 16 << 10) else { continue };
            for (_, line) in lines::numbered(&info.bytes) {
                let Some((field, number)) = lines::cut(line, b':') else { continue };
                let object = match field {
                    b"prog_id" => BpfObject::Program,
                    b"map_id" => BpfObject::Map,
                    b"link_id" => BpfObject::Link,
                    _ => continue,
                };
                if let Some(number) = lines::decimal(number) {
                    keepers.owners.entry((object, number)).or_default().insert(pid);
                }
            }
        }
    }
    std::ops::ControlFlow::Continue(keepers)
}

/// Objects that files of bpf file systems keep.
fn pins(context: &Arc<Context>, kernel: &dyn Kernel, keepers: &mut Keepers) {
    const MOST: usize = 4000;
    let tree = context.host.tree();
    let mounts = tree.read(b"/proc/self/mountinfo", 4 << 20).map(|content| content.bytes).unwrap_or_default();
    let mut todo: Vec<(Vec<u8>, u32)> = mountinfo::parse(&mounts)
        .into_iter()
        .filter(|mount| mount.filesystem == "bpf")
        .map(|mount| (mount.point.as_bytes().to_vec(), 0))
        .collect();
    let mut seen = 0;
    while let Some((folder, depth)) = todo.pop() {
        for entry in tree.list(&folder).unwrap_or_default() {
            seen += 1;
            if seen > MOST {
                return;
            }
            let path = join(&folder, entry.name.as_bytes());
            match tree.meta(&path).map(|meta| meta.kind) {
                Ok(FileKind::Directory) if depth < 16 => todo.push((path, depth + 1)),
                Ok(FileKind::File) => {
                    if let Ok(key) = kernel.bpf().pinned(&path) {
                        keepers.pins.entry(key).or_default().insert(path.into());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where programs are attached: by link, to control groups, and to interfaces. Links' numbers stand beside; 0 if none.
fn attached(
    context: &Arc<Context>,
    kernel: &dyn Kernel,
    keepers: &mut Keepers,
) -> BTreeMap<u32, Vec<(u32, String)>> {
    let mut attached: BTreeMap<u32, Vec<(u32, String)>> = BTreeMap::new();
    for id in kernel.bpf().ids(BpfObject::Link).unwrap_or_default() {
        let Ok(link) = kernel.bpf().link(id) else { continue };
        let mut place = name(&LINKS, link.kind);
        if !link.name.is_empty() {
            place = format!("{place}: {}", link.name);
        } else if link.target != 0 {
            place = format!("{place}: {}", link.target);
        }
        attached.entry(link.program).or_default().push((id, place));
        // Who holds a link holds its program.
        if let Some(owners) = keepers.owners.get(&(BpfObject::Link, id)).cloned() {
            keepers.owners.entry((BpfObject::Program, link.program)).or_default().extend(owners);
        }
    }
    let mut patience = Patience::new(Duration::from_secs(2));
    let host = Arc::clone(&context.host);
    let groups =
        patience.call(move || host.kernel().map(|kernel| on_groups(host.tree(), kernel)).unwrap_or_default());
    for (program, place) in groups.unwrap_or_default() {
        attached.entry(program).or_default().push((0, place));
    }
    let tree = context.host.tree();
    for entry in tree.list(b"/sys/class/net").unwrap_or_default().iter().take(4096) {
        let path = join(&join(b"/sys/class/net", entry.name.as_bytes()), b"ifindex");
        let index = tree.read(&path, 32).ok().and_then(|content| lines::decimal(content.bytes.trim_ascii()));
        let Some(index) = index else { continue };
        for (attach, way) in [(46, "incoming"), (47, "outgoing")] {
            for program in kernel.bpf().on_interface(index, attach).unwrap_or_default() {
                attached.entry(program).or_default().push((0, format!("interface {} ({way})", entry.name)));
            }
        }
    }
    attached.values_mut().for_each(|places| {
        places.sort();
        places.dedup();
        places.truncate(16);
    });
    attached
}

/// Programs attached to control groups of the unified hierarchy.
fn on_groups(tree: &dyn calma_host::Tree, kernel: &dyn Kernel) -> Vec<(u32, String)> {
    const MOST: usize = 1000;
    let mounts = tree.read(b"/proc/self/mountinfo", 4 << 20).map(|content| content.bytes).unwrap_or_default();
    let mounts = mountinfo::parse(&mounts);
    let Some(root) = mounts.iter().find(|mount| mount.filesystem == "cgroup2") else { return Vec::new() };
    let mut todo = vec![root.point.as_bytes().to_vec()];
    let (mut found, mut seen) = (Vec::new(), 0);
    while let Some(group) = todo.pop() {
        seen += 1;
        for (attach, what) in ON_GROUPS {
            for program in kernel.bpf().on_group(&group, attach).unwrap_or_default() {
                found.push((program, format!("control group {} ({what})", Text::from(group.as_slice()))));
            }
        }
        let below = tree.list(&group).unwrap_or_default();
        let below = below.iter().filter(|entry| entry.kind == Some(FileKind::Directory));
        todo.extend(below.take(MOST - MOST.min(seen)).map(|entry| join(&group, entry.name.as_bytes())));
        if seen >= MOST {
            break;
        }
    }
    found
}

/// Programs that show themselves although the kernel's list does not name them: by symbol, or by a process's descriptor.
fn unlisted(
    context: &Arc<Context>,
    kernel: &dyn Kernel,
    keepers: &Keepers,
    tags: Option<BTreeSet<String>>,
    out: &mut Out,
) -> Flow {
    let by_symbol = |symbols: &Symbols, tags: &BTreeSet<String>| -> BTreeSet<Vec<u8>> {
        let tag = |name: &[u8]| name.split(|b| *b == b'_').next().unwrap_or_default().to_vec();
        let hexadecimal = |tag: &Vec<u8>| tag.len() == 16 && tag.iter().all(u8::is_ascii_hexdigit);
        let known = |tag: &Vec<u8>| tags.contains(std::str::from_utf8(tag).unwrap_or_default());
        symbols.programs().map(tag).filter(|tag| hexadecimal(tag) && !known(tag)).collect()
    };
    let mut tags = tags;
    let mut odd = match (context.symbols(), &tags) {
        (Ok(symbols), Some(tags)) => by_symbol(symbols, tags),
        _ => BTreeSet::new(),
    };
    // Programs come and go: only what differs again, in both orders of looking, counts.
    for _ in 0..2 {
        let Some(tags) = tags.as_mut().filter(|_| !odd.is_empty()) else { break };
        std::thread::sleep(Duration::from_millis(60));
        let Ok(symbols) = crate::symbols::read(context) else { break };
        let ids = kernel.bpf().ids(BpfObject::Program).unwrap_or_default();
        for program in ids.into_iter().filter_map(|id| kernel.bpf().program(id).ok()) {
            tags.extend(program.function_tags.iter().copied().chain([program.tag]).map(hexadecimal));
        }
        let again = by_symbol(&symbols, tags);
        odd.retain(|tag| again.contains(tag));
    }
    for tag in odd {
        let tag = Text::from(tag).to_string();
        let fact = kinds::BpfProgram { tag, seen_by: "symbol".to_owned(), ..kinds::BpfProgram::default() };
        out.fact(Source::kernel(View::CrossView, "/proc/kallsyms"), fact)?;
    }
    let ids: BTreeSet<u32> = kernel.bpf().ids(BpfObject::Program).unwrap_or_default().into_iter().collect();
    for ((object, id), owners) in &keepers.owners {
        if *object != BpfObject::Program || ids.contains(id) {
            continue;
        }
        // Held then, not listed now: unless it was let go meanwhile, somebody filters the list.
        let mut still = Vec::new();
        for pid in owners {
            if holds(context, *pid, *id)
                && !kernel.bpf().ids(BpfObject::Program).unwrap_or_default().contains(id)
                && holds(context, *pid, *id)
            {
                still.push(*pid);
            }
        }
        if !still.is_empty() {
            let programs: BTreeSet<Text> = still.iter().filter_map(|pid| program_of(context, *pid)).collect();
            let fact = kinds::BpfProgram {
                id: *id,
                owners: still,
                owner_programs: programs.into_iter().collect(),
                seen_by: "descriptor".to_owned(),
                ..kinds::BpfProgram::default()
            };
            out.fact(Source::kernel(View::CrossView, "/proc/PID/fdinfo"), fact)?;
        }
    }
    out.flow()
}

/// Whether a descriptor of the process still is this program.
fn holds(context: &Context, pid: u32, id: u32) -> bool {
    let tree = context.host.tree();
    let folder = format!("/proc/{pid}/fdinfo");
    let wanted = format!("prog_id:\t{id}");
    tree.list(folder.as_bytes()).unwrap_or_default().iter().any(|entry| {
        let info = tree.read(&join(folder.as_bytes(), entry.name.as_bytes()), 16 << 10);
        info.is_ok_and(|info| info.bytes.split(|b| *b == b'\n').any(|line| line == wanted.as_bytes()))
    })
}

//! Collector: settings and states of the running kernel, among them those that make it run programs.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe};
use calma_formats::{kernel_hooks, mountinfo};
use calma_host::join;
use calma_record::{Gap, Source, Text, kinds};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "kernel-settings",
        doing: "Looking at the kernel's settings",
        doc: "kernel settings, programs the kernel runs, binfmt_misc handlers, active kernel hooks",
        volatility: Volatility::UntilReboot,
        needs: Needs::Kernel,
        patience: Duration::from_secs(10),
    },
    collect,
};

/// Settings that name a program which the kernel runs as root.
const PROGRAMS: [(&str, &str); 6] = [
    ("kernel.core_pattern", "/proc/sys/kernel/core_pattern"),
    ("kernel.modprobe", "/proc/sys/kernel/modprobe"),
    ("kernel.hotplug", "/proc/sys/kernel/hotplug"),
    ("kernel.poweroff_cmd", "/proc/sys/kernel/poweroff_cmd"),
    ("kernel.uevent_helper", "/sys/kernel/uevent_helper"),
    ("ocfs2.hb_ctl_path", "/proc/sys/fs/ocfs2/nm/hb_ctl_path"),
];

/// Settings and states that say what an intruder could do, or did.
const PLAIN: [(&str, &str); 29] = [
    ("kernel.cmdline", "/proc/cmdline"),
    ("kernel.tainted", "/proc/sys/kernel/tainted"),
    ("kernel.lockdown", "/sys/kernel/security/lockdown"),
    ("kernel.lsm", "/sys/kernel/security/lsm"),
    ("kernel.modules_disabled", "/proc/sys/kernel/modules_disabled"),
    ("kernel.module_sig_enforce", "/sys/module/module/parameters/sig_enforce"),
    ("kernel.kexec_loaded", "/sys/kernel/kexec_loaded"),
    ("kernel.kexec_load_disabled", "/proc/sys/kernel/kexec_load_disabled"),
    ("kernel.kptr_restrict", "/proc/sys/kernel/kptr_restrict"),
    ("kernel.dmesg_restrict", "/proc/sys/kernel/dmesg_restrict"),
    ("kernel.printk", "/proc/sys/kernel/printk"),
    ("kernel.randomize_va_space", "/proc/sys/kernel/randomize_va_space"),
    ("kernel.yama.ptrace_scope", "/proc/sys/kernel/yama/ptrace_scope"),
    ("kernel.unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled"),
    ("kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone"),
    ("user.max_user_namespaces", "/proc/sys/user/max_user_namespaces"),
    ("kernel.sysrq", "/proc/sys/kernel/sysrq"),
    ("kernel.ftrace_enabled", "/proc/sys/kernel/ftrace_enabled"),
    ("kernel.perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid"),
    ("kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled"),
    ("kernel.core_pipe_limit", "/proc/sys/kernel/core_pipe_limit"),
    ("kernel.pid_max", "/proc/sys/kernel/pid_max"),
    ("net.core.bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable"),
    ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
    ("net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding"),
    ("fs.suid_dumpable", "/proc/sys/fs/suid_dumpable"),
    ("fs.protected_symlinks", "/proc/sys/fs/protected_symlinks"),
    ("fs.protected_hardlinks", "/proc/sys/fs/protected_hardlinks"),
    ("selinux.enforce", "/sys/fs/selinux/enforce"),
];

/// Lists of the tracer that name what is hooked.
const TRACING: [&str; 5] =
    ["current_tracer", "kprobe_events", "uprobe_events", "dynamic_events", "touched_functions"];

const WHAT: &str = "settings of the running kernel";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for (name, path) in PLAIN {
        if let Some(value) = value(context, path.as_bytes(), out)? {
            out.fact(Source::proc(path), setting(name, &value, path.as_bytes()))?;
        }
    }
    for (name, path) in PROGRAMS {
        if let Some(value) = value(context, path.as_bytes(), out)? {
            program(context, name.as_bytes(), &value, path.as_bytes(), out)?;
        }
    }
    release_agents(context, out)?;
    binfmt(context, out)?;
    tracing(context, out)
}

fn setting(name: impl Into<Text>, value: &[u8], path: &[u8]) -> kinds::KernelSetting {
    kinds::KernelSetting { name: name.into(), value: value.into(), path: path.into(), runs: None }
}

/// A setting's value without the line end; `None` if this kernel does not have it or it can not be read.
fn value(context: &Context, path: &[u8], out: &mut Out) -> std::ops::ControlFlow<(), Option<Vec<u8>>> {
    match context.host.tree().read(path, 64 << 10) {
        Ok(content) => std::ops::ControlFlow::Continue(Some(content.bytes.trim_ascii_end().to_vec())),
        Err(error) => {
            // A write-only or switched-off setting says "invalid" or "no such device".
            if !error.is_unsupported() {
                out.unseen(WHAT, &error)?;
            }
            std::ops::ControlFlow::Continue(None)
        }
    }
}

/// A setting that makes the kernel run a program, and that program's file.
fn program(context: &Context, name: &[u8], value: &[u8], path: &[u8], out: &mut Out) -> Flow {
    let mut fact = setting(name, value, path);
    // Without the bar, core_pattern names the file that a crash leaves, not a program (core(5)).
    if name != b"kernel.core_pattern" || value.trim_ascii_start().starts_with(b"|") {
        fact.runs = kernel_hooks::helper(value).map(Text::from);
    }
    let runs = fact.runs.is_some();
    out.fact(Source::proc(path), fact)?;
    if runs {
        describe::command(context, value.trim_ascii_start().strip_prefix(b"|").unwrap_or(value), out)
    } else {
        out.flow()
    }
}

/// Programs that run when a control group of the first version becomes empty (cgroups(7)).
fn release_agents(context: &Context, out: &mut Out) -> Flow {
    let mounts = context.host.tree().read(b"/proc/self/mountinfo", 4 << 20).map(|content| content.bytes);
    for mount in mountinfo::parse(&mounts.unwrap_or_default()) {
        if mount.filesystem != "cgroup" {
            continue;
        }
        let path = join(mount.point.as_bytes(), b"release_agent");
        if let Ok(content) = context.host.tree().read(&path, 4096)
            && !content.bytes.trim_ascii().is_empty()
        {
            program(context, b"cgroup.release_agent", content.bytes.trim_ascii(), &path, out)?;
        }
    }
    out.flow()
}

/// The handlers of binfmt_misc.
fn binfmt(context: &Context, out: &mut Out) -> Flow {
    const FOLDER: &[u8] = b"/proc/sys/fs/binfmt_misc";
    for entry in context.host.tree().list(FOLDER).unwrap_or_default().iter().take(1000) {
        let path = join(FOLDER, entry.name.as_bytes());
        if matches!(entry.name.as_bytes(), b"register" | b"status") {
            continue;
        }
        let Some(value) = value(context, &path, out)? else { continue };
        let name = [b"binfmt_misc.", entry.name.as_bytes()].concat();
        let mut fact = setting(name, &value, &path);
        fact.runs = kernel_hooks::handler(&value).map(|handler| handler.interpreter);
        let runs = fact.runs.clone();
        out.fact(Source::proc(path.as_slice()), fact)?;
        if let Some(runs) = runs {
            describe::file(context, runs.as_bytes(), out)?;
        }
    }
    out.flow()
}

/// What the tracer says is hooked, where its file system is mounted already. calma never mounts anything.
fn tracing(context: &Context, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let folders = [&b"/sys/kernel/tracing"[..], b"/sys/kernel/debug/tracing"];
    let folder = folders.into_iter().find(|folder| tree.meta(&join(folder, b"current_tracer")).is_ok());
    let Some(folder) = folder else {
        if tree.meta(b"/sys/kernel/tracing").is_ok() {
            let gap = Gap::new(
                "functions of the kernel that are hooked",
                "the tracing file system is not mounted, or not for us",
            );
            return out.gap(gap.instead("mount it yourself: mount -t tracefs tracefs /sys/kernel/tracing"));
        }
        return out.flow();
    };
    for name in TRACING {
        let path = join(folder, name.as_bytes());
        if let Some(value) = value(context, &path, out)?.filter(|value| !value.is_empty()) {
            let value = value.get(..value.len().min(16 << 10)).unwrap_or_default();
            out.fact(Source::proc(path.as_slice()), setting(format!("tracing.{name}"), value, &path))?;
        }
    }
    let path = join(folder, b"enabled_functions");
    if let Ok(content) = tree.read(&path, 4 << 20) {
        // Hooks by module and those that divert are told one by one; an administrator's tracing can be thousands of others.
        for hook in kernel_hooks::hooked(&content.bytes).into_iter().take(2000) {
            let how = if hook.diverts {
                "diverted"
            } else if hook.direct {
                "direct"
            } else {
                "traced"
            };
            let or_none =
                |text: &Text| if text.is_empty() { b"-".to_vec() } else { text.as_bytes().to_vec() };
            let words = [how.as_bytes().to_vec(), or_none(&hook.module), or_none(&hook.callback)];
            let value = words.join(&b' ');
            let name = [b"hook.", hook.function.as_bytes()].concat();
            out.fact(Source::proc(path.as_slice()), setting(name, value.trim_ascii(), &path))?;
        }
    }
    probes(context, out)
}

/// Every probe there is, whoever made it, where debugfs is mounted.
fn probes(context: &Context, out: &mut Out) -> Flow {
    let path: &[u8] = b"/sys/kernel/debug/kprobes/list";
    if let Ok(content) = context.host.tree().read(path, 1 << 20) {
        for (function, line) in kernel_hooks::probes(&content.bytes) {
            let name = [b"kprobe.", function.as_bytes()].concat();
            out.fact(Source::proc(path), setting(name, line.as_bytes(), path))?;
        }
    }
    out.flow()
}

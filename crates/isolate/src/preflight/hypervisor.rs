//! Agents through which a hypervisor reaches into this machine without a network.

use super::{Concern, Known, Sight, Weight, running};

const CONSEQUENCE: &str = "it goes on working when the network is cut: commands and files pass between the hypervisor and this machine, both ways";

const TABLE: &[Known] = &[
    Known {
        programs: &["qemu-ga"],
        weight: Weight::Note,
        what: "the QEMU guest agent runs",
        consequence: CONSEQUENCE,
        outside: "good for snapshots and a way in; take its channel away at the hypervisor if the hypervisor's side is not trusted",
    },
    Known {
        programs: &["vmtoolsd", "vmware-guestd"],
        weight: Weight::Note,
        what: "VMware's guest tools run",
        consequence: CONSEQUENCE,
        outside: "good for snapshots and a way in; disable guest operations for this machine if that side is not trusted",
    },
    Known {
        programs: &["hv_kvp_daemon", "hv_vss_daemon", "hv_fcopy_daemon", "hypervkvpd", "hypervfcopyd"],
        weight: Weight::Note,
        what: "Hyper-V's guest services run",
        consequence: CONSEQUENCE,
        outside: "Disable-VMIntegrationService -VMName NAME -Name 'Guest Service Interface' if that side is not trusted",
    },
    Known {
        programs: &["xe-daemon", "xenstored", "VBoxService"],
        weight: Weight::Note,
        what: "a hypervisor's guest agent runs (Xen or VirtualBox)",
        consequence: CONSEQUENCE,
        outside: "good for snapshots and a way in; take it away at the hypervisor if that side is not trusted",
    },
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    running(sight, TABLE, concerns);
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn agents_of_the_hypervisor_are_known() {
        table(vec![
            (process(Mem::running(), 4, "/usr/sbin/qemu-ga", &[]), &["QEMU guest agent", "both ways"]),
            (process(Mem::running(), 4, "/usr/bin/qemu-system-x86_64", &["-m", "1024"]), &[]),
            (process(Mem::running(), 4, "/usr/bin/vmtoolsd", &[]), &["VMware"]),
        ]);
    }
}

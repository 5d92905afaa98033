//! Level 3: exact steps outside of the host, and back again.
//!
//! Plain text, chosen by what the host looks like. Whether it really is there is for the reader to know: what a
//! compromised host says of its place is a hint.

use calma_host::Host;

mod steps;

pub use steps::{Steps, all};

/// What a host may stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// A machine one can touch.
    Cable,
    /// A port of a managed switch.
    Switch,
    /// Amazon EC2.
    Amazon,
    /// Google Compute Engine.
    Google,
    /// Microsoft Azure.
    Azure,
    /// Hetzner Cloud.
    Hetzner,
    /// OpenStack.
    OpenStack,
    /// Proxmox VE.
    Proxmox,
    /// libvirt (QEMU, KVM).
    Libvirt,
    /// VMware vSphere.
    VMware,
    /// Microsoft Hyper-V.
    HyperV,
    /// Another cloud or hoster.
    Hosted,
}

impl Provider {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cable => "the cable",
            Self::Switch => "a managed switch",
            Self::Amazon => "Amazon EC2",
            Self::Google => "Google Compute Engine",
            Self::Azure => "Microsoft Azure",
            Self::Hetzner => "Hetzner Cloud",
            Self::OpenStack => "OpenStack",
            Self::Proxmox => "Proxmox VE",
            Self::Libvirt => "libvirt (QEMU, KVM)",
            Self::VMware => "VMware vSphere",
            Self::HyperV => "Microsoft Hyper-V",
            Self::Hosted => "another hoster",
        }
    }
}

/// The tag of every virtual machine in Azure; Hyper-V elsewhere has another one.
const AZURE_TAG: &str = "7783-7084-3265-9085-8269-3286-77";
const DMI: &str = "/sys/class/dmi/id/";

/// What stands in a file of the firmware's tables, and what that means: the file, how its text begins.
const MARKS: &[(&str, &str, Provider)] = &[
    ("chassis_asset_tag", AZURE_TAG, Provider::Azure),
    ("sys_vendor", "Amazon EC2", Provider::Amazon),
    ("bios_vendor", "Amazon EC2", Provider::Amazon),
    ("bios_version", "4.2.amazon", Provider::Amazon),
    ("product_name", "Google Compute Engine", Provider::Google),
    ("sys_vendor", "Hetzner", Provider::Hetzner),
    ("chassis_asset_tag", "OpenStack", Provider::OpenStack),
    ("sys_vendor", "OpenStack Foundation", Provider::OpenStack),
    ("product_name", "OpenStack", Provider::OpenStack),
    ("chassis_asset_tag", "OracleCloud.com", Provider::Hosted),
    ("sys_vendor", "Alibaba Cloud", Provider::Hosted),
    ("sys_vendor", "Tencent Cloud", Provider::Hosted),
    ("sys_vendor", "DigitalOcean", Provider::Hosted),
    ("sys_vendor", "Akamai", Provider::Hosted),
    ("sys_vendor", "Linode", Provider::Hosted),
    ("sys_vendor", "Vultr", Provider::Hosted),
    ("sys_vendor", "Scaleway", Provider::Hosted),
    ("sys_vendor", "Exoscale", Provider::Hosted),
    ("sys_vendor", "UpCloud", Provider::Hosted),
    ("sys_vendor", "VMware", Provider::VMware),
    ("product_name", "VMware", Provider::VMware),
    ("bios_vendor", "SeaBIOS", Provider::Libvirt),
    ("bios_vendor", "EDK II", Provider::Libvirt),
    ("bios_vendor", "Proxmox", Provider::Proxmox),
    ("sys_vendor", "QEMU", Provider::Libvirt),
    ("sys_vendor", "Red Hat", Provider::Libvirt),
];

/// What the host looks like, and where that is written; a machine one can touch looks like nothing.
pub fn provider(host: &dyn Host) -> (Option<Provider>, String) {
    let read = |name: &str| {
        let path = format!("{DMI}{name}");
        let bytes = host.tree().read(path.as_bytes(), 4096).map(|content| content.bytes).unwrap_or_default();
        (String::from_utf8_lossy(&bytes).trim().to_owned(), path)
    };
    for (file, begins, provider) in MARKS {
        let (text, path) = read(file);
        if text.starts_with(begins) {
            return (Some(*provider), path);
        }
    }
    let (vendor, path) = read("sys_vendor");
    if vendor == "Microsoft Corporation" && read("product_name").0 == "Virtual Machine" {
        return (Some(Provider::HyperV), path);
    }
    (None, path)
}

/// The steps for this host, the likeliest first. A virtual machine on QEMU may stand on Proxmox as well as on libvirt.
pub fn steps(host: &dyn Host) -> Vec<&'static Steps> {
    let likely: &[Provider] = match provider(host).0 {
        None => &[Provider::Cable, Provider::Switch],
        Some(Provider::Libvirt | Provider::Proxmox) => {
            &[Provider::Proxmox, Provider::Libvirt, Provider::Hosted]
        }
        Some(Provider::Amazon) => &[Provider::Amazon],
        Some(Provider::Google) => &[Provider::Google],
        Some(Provider::Azure) => &[Provider::Azure, Provider::HyperV],
        Some(Provider::Hetzner) => &[Provider::Hetzner],
        Some(Provider::OpenStack) => &[Provider::OpenStack, Provider::Libvirt],
        Some(Provider::VMware) => &[Provider::VMware],
        Some(Provider::HyperV) => &[Provider::HyperV],
        Some(Provider::Hosted) => &[Provider::Hosted],
        Some(Provider::Cable | Provider::Switch) => &[Provider::Cable, Provider::Switch],
    };
    likely.iter().filter_map(|provider| all().iter().find(|steps| steps.provider == *provider)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    fn host(files: &[(&str, &str)]) -> Mem {
        files
            .iter()
            .fold(Mem::new(), |mem, (name, text)| mem.file(format!("{DMI}{name}"), format!("{text}\n")))
    }

    #[test]
    fn steps_fit_what_the_host_looks_like() {
        let table: &[(&[(&str, &str)], Provider)] = &[
            (&[("sys_vendor", "Amazon EC2")], Provider::Amazon),
            (&[("bios_version", "4.2.amazon"), ("sys_vendor", "Xen")], Provider::Amazon),
            (&[("sys_vendor", "Google"), ("product_name", "Google Compute Engine")], Provider::Google),
            (
                &[
                    ("sys_vendor", "Microsoft Corporation"),
                    ("product_name", "Virtual Machine"),
                    ("chassis_asset_tag", AZURE_TAG),
                ],
                Provider::Azure,
            ),
            (
                &[("sys_vendor", "Microsoft Corporation"), ("product_name", "Virtual Machine")],
                Provider::HyperV,
            ),
            (&[("sys_vendor", "Microsoft Corporation"), ("product_name", "Surface Pro")], Provider::Cable),
            (&[("sys_vendor", "Hetzner"), ("product_name", "vServer")], Provider::Hetzner),
            (&[("sys_vendor", "QEMU"), ("bios_vendor", "SeaBIOS")], Provider::Proxmox),
            (&[("sys_vendor", "VMware, Inc.")], Provider::VMware),
            (&[("sys_vendor", "DigitalOcean"), ("bios_vendor", "DigitalOcean")], Provider::Hosted),
            (&[("sys_vendor", "Dell Inc.")], Provider::Cable),
            (&[], Provider::Cable),
        ];
        for (files, expected) in table {
            assert_eq!(steps(&host(files))[0].provider, *expected, "{files:?}");
        }
    }

    #[test]
    fn every_way_has_its_way_back_and_says_what_it_does_not_cut() {
        for steps in all() {
            assert!(!steps.cut.is_empty() && !steps.back.is_empty(), "{:?}", steps.provider);
            assert!(steps.check.len() > 20 && steps.mind.len() > 20, "{:?}", steps.provider);
        }
        let amazon = all().iter().find(|steps| steps.provider == Provider::Amazon).unwrap();
        assert!(amazon.mind.contains("security group") && amazon.mind.contains("network ACL"));
        assert_eq!(all().len(), 12);
    }
}

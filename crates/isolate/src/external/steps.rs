//! The steps themselves.

use super::Provider;

/// How a host is cut off from outside, and let back.
#[derive(Debug)]
pub struct Steps {
    /// Where it stands.
    pub provider: Provider,
    /// What to do first: what is lost or may act by itself otherwise.
    pub first: &'static [&'static str],
    /// Cutting.
    pub cut: &'static [&'static str],
    /// How one sees that it is cut.
    pub check: &'static str,
    /// The way back, in this order.
    pub back: &'static [&'static str],
    /// What these steps do not do, and what they do besides.
    pub mind: &'static str,
}

/// The steps for every place.
pub fn all() -> &'static [Steps] {
    ALL
}

const ALL: &[Steps] = &[
    Steps {
        provider: Provider::Cable,
        first: &["write down which cable is in which port, or take a picture"],
        cut: &[
            "pull every network cable, the one of the remote management (iDRAC, iLO, IPMI, BMC) too if it shares a port",
            "switch off or unscrew Wi-Fi and mobile modems; pull USB network adapters and telephones",
        ],
        check: "no lamp is lit at any port; on the host, ip link shows NO-CARRIER everywhere",
        back: &["the same cables into the same ports, the one the administrator comes in through first"],
        mind: "does not stop what already runs: freeze or keep suspects before. Fibre and InfiniBand cables count too",
    },
    Steps {
        provider: Provider::Switch,
        first: &[
            "find the port by the host's hardware address: show mac address-table address MAC",
            "save the port's settings",
        ],
        cut: &[
            "Cisco IOS: configure terminal; interface PORT; shutdown",
            "Juniper: set interfaces PORT disable; commit confirmed 10, then commit",
            "Linux bridge or switch: ip link set PORT down",
            "to keep the link up for a look: move the port into an empty VLAN instead, with no router in it",
        ],
        check: "show interface PORT says administratively down, and the hardware address is gone from the table",
        back: &[
            "Cisco IOS: no shutdown",
            "Juniper: delete interfaces PORT disable; commit",
            "Linux: ip link set PORT up",
        ],
        mind: "look for a second port: bonds have two or more, and the remote management has its own. A VLAN cuts only what does \
               not share it",
    },
    Steps {
        provider: Provider::Amazon,
        first: &[
            "aws autoscaling describe-auto-scaling-instances --instance-ids ID; if in a group: aws autoscaling enter-standby \
             --instance-ids ID --auto-scaling-group-name GROUP --should-decrement-desired-capacity",
            "aws ec2 modify-instance-attribute --instance-id ID --disable-api-termination",
            "aws ec2 create-snapshots --instance-specification InstanceId=ID",
            "aws elbv2 deregister-targets for every target group it is in",
        ],
        cut: &[
            "note its groups: aws ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values=ID",
            "for each interface: aws ec2 modify-network-interface-attribute --network-interface-id ENI --groups SG-WITHOUT-RULES",
            "and, since that leaves open connections alive, at the subnet: if nothing else lives in it, aws ec2 \
             replace-network-acl-association with a network ACL that has no allow entry; else deny the peers' addresses both \
             ways: aws ec2 create-network-acl-entry --rule-number 1 --protocol -1 --rule-action deny --cidr-block PEER/32, once \
             with --ingress and once with --egress, and --ipv6-cidr-block for IPv6",
            "detach its instance profile: aws ec2 disassociate-iam-instance-profile; then revoke the role's older sessions",
        ],
        check: "VPC flow logs of its interface show REJECT only; an open ssh session through it has died",
        back: &[
            "replace-network-acl-association with the former one, or delete the entries",
            "modify-network-interface-attribute --groups with the groups noted",
            "associate-iam-instance-profile; exit-standby; register-targets",
        ],
        mind: "a security group is stateful: changing it does not cut connections that are tracked already; a network ACL is \
               stateless and cuts them, but works for the whole subnet and not between hosts inside it. Neither stops the \
               metadata service, the name server of the VPC or Systems Manager's console",
    },
    Steps {
        provider: Provider::Google,
        first: &[
            "if in a managed group: gcloud compute instance-groups managed abandon-instances GROUP --instances=NAME",
            "gcloud compute instances update NAME --deletion-protection",
            "gcloud compute disks snapshot DISK --zone ZONE",
        ],
        cut: &[
            "gcloud compute instances add-tags NAME --tags=calma-isolated --zone ZONE",
            "gcloud compute firewall-rules create calma-isolated-out4 --network NETWORK --direction=EGRESS --action=DENY \
             --rules=all --priority=0 --target-tags=calma-isolated --destination-ranges=0.0.0.0/0; the same as …-out6 with ::/0 \
             (a rule holds one family); the same as …-in4 and …-in6 with --direction=INGRESS --source-ranges",
            "gcloud compute instances delete-access-config NAME (takes the outer address away, which ends connections over it)",
            "gcloud compute instances set-service-account NAME --no-service-account --no-scopes (the machine must be stopped for it)",
        ],
        check: "firewall rule logging shows DENIED only; an open session through it has died",
        back: &[
            "delete both rules",
            "remove-tags",
            "add-access-config (the address is the same only if it was reserved)",
        ],
        mind: "rules are stateful; connections that are open may live until they have been idle. A hierarchical policy above the \
               network's rules may allow before they deny. The metadata server is never cut by them",
    },
    Steps {
        provider: Provider::Azure,
        first: &[
            "in a scale set: az vmss update -g RG -n SET --set automaticRepairsPolicy.enabled=false; az vmss update \
             --protect-from-scale-in true --instance-id N",
            "az lock create --lock-type CanNotDelete",
            "az snapshot create for every disk",
        ],
        cut: &[
            "az network nsg create -n calma-isolated; one rule each way: --priority 100 --access Deny --protocol '*' with all \
             prefixes and ports",
            "az network nic update --network-security-group calma-isolated for each interface",
            "take its outer address away: az network nic ip-config update --public-ip-address null",
            "az vm identity remove",
        ],
        check: "NSG flow logs show denied only; an open session through it has died",
        back: &[
            "nic update with the former group",
            "ip-config update with the former address",
            "delete the group and the lock",
        ],
        mind: "groups are stateful: flows that are open are not cut when rules change, until they have been idle or the interface \
               is detached. The platform's address 168.63.129.16 and the metadata service stay reachable",
    },
    Steps {
        provider: Provider::Hetzner,
        first: &[
            "hcloud server create-image --type snapshot NAME",
            "hcloud server enable-protection NAME delete rebuild",
            "hcloud load-balancer remove-target",
        ],
        cut: &[
            "hcloud firewall create --name calma-isolated, with one rule out to an address that is nobody's (203.0.113.1/32), so \
             that everything else out is denied, and no rule in",
            "hcloud firewall apply-to-resource calma-isolated --type server --server NAME",
            "hcloud server detach-from-network NAME --network NET for each private network",
        ],
        check: "nothing answers from outside, and the private address is gone; the console in the browser still works",
        back: &[
            "hcloud firewall remove-from-resource",
            "hcloud server attach-to-network --ip with the former address",
        ],
        mind: "the firewall is for the public side alone: private networks pass by it, so detach them. It is stateful; a poweroff \
               ends open connections and loses memory",
    },
    Steps {
        provider: Provider::OpenStack,
        first: &[
            "openstack server lock NAME",
            "openstack server image create NAME",
            "openstack port list --server NAME (write it down)",
        ],
        cut: &[
            "for each port: openstack port set --disable PORT",
            "or, to keep the link: openstack port set --no-security-group PORT (port security on and no group: nothing passes)",
        ],
        check: "openstack port show PORT: admin_state_up False, status DOWN; nothing answers",
        back: &[
            "openstack port set --enable PORT",
            "openstack port set --security-group GROUP PORT for each former group",
            "openstack server unlock NAME",
        ],
        mind: "groups are stateful in most drivers and may leave open connections alive; a disabled port does not. Ports with port \
               security off pass by groups",
    },
    Steps {
        provider: Provider::Proxmox,
        first: &[
            "qm snapshot ID calma --vmstate 1 (memory too)",
            "ha-manager set vm:ID --state ignored",
            "qm config ID | grep ^net (write it down)",
        ],
        cut: &[
            "for each netN: qm set ID --netN MODEL=MAC,bridge=BRIDGE,…,link_down=1, with everything else as it was",
        ],
        check: "in the guest, NO-CARRIER on every interface; bridge link on the node shows no frames of its tap device",
        back: &["qm set ID --netN … without link_down=1", "ha-manager set vm:ID --state started"],
        mind: "keep the MAC in the line, or the guest gets a new card. Devices handed through (PCI, USB, SR-IOV) are not netN: \
               remove them apart. For containers: pct set ID --netN …,link_down=1",
    },
    Steps {
        provider: Provider::Libvirt,
        first: &["virsh snapshot-create-as NAME calma (memory too)", "virsh domiflist NAME (write it down)"],
        cut: &[
            "for each interface: virsh domif-setlink NAME MAC down",
            "to hold over a restart: the same with --config",
        ],
        check: "virsh domif-getlink NAME MAC says down; in the guest NO-CARRIER",
        back: &["virsh domif-setlink NAME MAC up, also with --config"],
        mind: "devices handed through (hostdev, SR-IOV) and vhost-user have no such link: virsh detach-interface. The guest agent and \
               vsock go on working",
    },
    Steps {
        provider: Provider::VMware,
        first: &[
            "govc snapshot.create -vm NAME -m=true calma (memory too)",
            "take it out of DRS and HA rules that restart it",
        ],
        cut: &[
            "for each adapter: govc device.disconnect -vm NAME ethernet-N",
            "or in vSphere: Edit settings, Network adapter, untick Connected and Connect at power on",
        ],
        check: "govc device.info -vm NAME ethernet-N: Connected false; in the guest NO-CARRIER",
        back: &["govc device.connect -vm NAME ethernet-N"],
        mind: "vMotion and a restart may connect it again unless Connect at power on is off. Passed-through devices, VMCI and guest \
               operations go on working",
    },
    Steps {
        provider: Provider::HyperV,
        first: &[
            "Checkpoint-VM -Name NAME -SnapshotName calma",
            "Get-VMNetworkAdapter -VMName NAME (write down SwitchName)",
        ],
        cut: &["Get-VMNetworkAdapter -VMName NAME | Disconnect-VMNetworkAdapter"],
        check: "Get-VMNetworkAdapter -VMName NAME shows no SwitchName and no address; in the guest NO-CARRIER",
        back: &["Connect-VMNetworkAdapter -VMName NAME -SwitchName SWITCH for each adapter"],
        mind: "in a failover cluster a move may connect it again: set it to not fail over. Guest services and hv_sock go on working",
    },
    Steps {
        provider: Provider::Hosted,
        first: &[
            "in the provider's panel: take a snapshot, and lock the server against deletion and rebuilding if that can be done",
            "take it out of load balancers and groups; find out that the console in the browser works",
        ],
        cut: &[
            "attach a firewall of the provider that lets nothing in and nothing out, for IPv4 and for IPv6",
            "detach it from private networks, and take floating addresses away",
            "where there is no firewall: shut the network interface off in the panel, or ask the support to close the port",
        ],
        check: "nothing answers from outside, an open ssh session has died, and the console still works",
        back: &["attach private networks and addresses as they were", "detach the firewall"],
        mind: "many such firewalls are stateful and leave open connections alive, do not know private networks, or filter only what \
               comes in: look it up before you rely on it. A rescue boot ends the running system and loses its memory",
    },
];

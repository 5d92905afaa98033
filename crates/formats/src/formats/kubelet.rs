//! Whom a kubelet takes orders from, and where it finds pods of its own.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "kubelet",
    doc: "Whom a kubelet asks for a proof, and whom it lets do what, in its settings and on its command line.",
    manual: "Kubernetes reference: KubeletConfiguration (v1beta1), kubelet; k3s and RKE2 configuration files (kubelet-arg)",
    samples: &[
        b"kind: KubeletConfiguration\nauthentication:\n  anonymous:\n    enabled: true # x\n  webhook:\n    enabled: false\nauthorization:\n  mode: AlwaysAllow\nreadOnlyPort: 10255\nstaticPodPath: /etc/k\n",
        b"{\"kind\":\"KubeletConfiguration\",\"authentication\":{\"anonymous\":{\"enabled\":true}},\"authorization\":{\"mode\":\"Webhook\"}}",
        b"KUBELET_EXTRA_ARGS=\"--anonymous-auth --authorization-mode AlwaysAllow --pod-manifest-path=/var/.x\"\n",
        b"kubelet-arg:\n  - \"anonymous-auth=true\"\n  - authorization-mode=AlwaysAllow\n",
    ],
    feed: |bytes| {
        drop(config(bytes));
        drop(flags(bytes));
    },
};

/// One setting: its line, its name on the command line, its value.
pub type Setting = (u32, &'static str, Text);

/// Settings of a KubeletConfiguration, in YAML or JSON.
pub fn config(bytes: &[u8]) -> Vec<Setting> {
    let mut all = Vec::new();
    let (mut section, mut inner): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut words: Vec<(u32, Vec<u8>)> = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let end = text.windows(2).position(|pair| pair == b" #").unwrap_or(text.len());
        for word in text.get(..end).unwrap_or_default().split(|b| b" \t\"',:{}[]".contains(b)) {
            if !word.is_empty() && words.len() < 20_000 {
                words.push((line, word.to_vec()));
            }
        }
    }
    let mut words = words.into_iter().peekable();
    while let Some((_, word)) = words.next() {
        match word.as_slice() {
            b"authentication" | b"authorization" => (section, inner) = (word, Vec::new()),
            b"anonymous" | b"webhook" | b"x509" => inner = word,
            b"enabled" if section == b"authentication" && inner == b"anonymous" => {
                all.extend(words.next().map(|(line, value)| (line, "anonymous-auth", value.into())));
            }
            b"mode" if section == b"authorization" => {
                all.extend(words.next().map(|(line, value)| (line, "authorization-mode", value.into())));
            }
            b"readOnlyPort" => {
                all.extend(words.next().map(|(line, value)| (line, "read-only-port", value.into())));
            }
            b"staticPodPath" => {
                all.extend(words.next().map(|(line, value)| (line, "pod-manifest-path", value.into())));
            }
            _ => {}
        }
    }
    all
}

/// The same settings on a command line, wherever it is written.
pub fn flags(bytes: &[u8]) -> Vec<Setting> {
    const NAMES: &[&str] =
        &["anonymous-auth", "authorization-mode", "read-only-port", "pod-manifest-path", "config"];
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let mut words = text
            .split(|b| b" \t\"',=".contains(b) || *b == 0)
            .filter(|word| !word.is_empty() && *word != b"\\" && *word != b"-")
            .peekable();
        while let Some(word) = words.next() {
            let dashed = word.starts_with(b"--");
            let bare = word.strip_prefix(b"--").unwrap_or(word);
            let Some(name) = NAMES.iter().find(|name| name.as_bytes() == bare) else { continue };
            if *name == "config" && !dashed {
                continue;
            }
            let value = words.next_if(|next| !next.starts_with(b"-")).unwrap_or(b"true");
            if all.len() < 1_000 {
                all.push((line, *name, value.into()));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_from_every_form() {
        let told = |all: Vec<Setting>| -> Vec<String> {
            all.into_iter().map(|(line, name, value)| format!("{line} {name} {value}")).collect()
        };
        assert_eq!(
            told(config(FORMAT.samples[0])),
            [
                "4 anonymous-auth true",
                "8 authorization-mode AlwaysAllow",
                "9 read-only-port 10255",
                "10 pod-manifest-path /etc/k"
            ]
        );
        assert_eq!(
            told(config(FORMAT.samples[1])),
            ["1 anonymous-auth true", "1 authorization-mode Webhook"]
        );
        assert_eq!(
            told(flags(FORMAT.samples[2])),
            ["1 anonymous-auth true", "1 authorization-mode AlwaysAllow", "1 pod-manifest-path /var/.x"]
        );
        assert_eq!(told(flags(FORMAT.samples[3])).len(), 2);
    }
}

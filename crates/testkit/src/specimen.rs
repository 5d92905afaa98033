//! Processes made of values: the files in /proc that a process would show.

use calma_host::Mem;

/// A process of an in-memory host, built by chaining: `Specimen::new(41, "sleep").program("/usr/bin/sleep")`.
#[derive(Clone, Debug)]
pub struct Specimen {
    pid: u32,
    parent: u32,
    name: String,
    program: Option<String>,
    arguments: Vec<String>,
    variables: Vec<String>,
    maps: Vec<String>,
    descriptors: Vec<(u32, String)>,
    uid: u32,
    kernel_thread: bool,
    started: u64,
    cgroup: String,
}

impl Specimen {
    /// An ordinary process of root whose parent is process 1.
    pub fn new(pid: u32, name: &str) -> Self {
        Self {
            pid,
            parent: 1,
            name: name.to_owned(),
            program: None,
            arguments: vec![name.to_owned()],
            variables: Vec::new(),
            maps: Vec::new(),
            descriptors: Vec::new(),
            uid: 0,
            kernel_thread: false,
            started: 5000,
            cgroup: "/system.slice/x.service".to_owned(),
        }
    }

    /// What /proc/PID/exe leads to, with " (deleted)" where that is meant.
    #[must_use]
    pub fn program(mut self, program: &str) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// A variable of its environment, `NAME=value`.
    #[must_use]
    pub fn variable(mut self, variable: &str) -> Self {
        self.variables.push(variable.to_owned());
        self
    }

    /// A file that is mapped executable.
    #[must_use]
    pub fn maps(mut self, path: &str) -> Self {
        self.maps.push(path.to_owned());
        self
    }

    /// An open descriptor.
    #[must_use]
    pub fn descriptor(mut self, number: u32, target: &str) -> Self {
        self.descriptors.push((number, target.to_owned()));
        self
    }

    /// Its parent.
    #[must_use]
    pub fn parent(mut self, parent: u32) -> Self {
        self.parent = parent;
        self
    }

    /// Its user.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// Makes it a thread of the kernel.
    #[must_use]
    pub fn kernel_thread(mut self) -> Self {
        self.kernel_thread = true;
        self.arguments.clear();
        self
    }

    /// Its start, in hundredths of a second since boot.
    #[must_use]
    pub fn started(mut self, ticks: u64) -> Self {
        self.started = ticks;
        self
    }

    /// Its control group.
    #[must_use]
    pub fn cgroup(mut self, cgroup: &str) -> Self {
        self.cgroup = cgroup.to_owned();
        self
    }

    /// Adds its files to a host.
    pub fn on(self, host: Mem) -> Mem {
        let Self { pid, parent, name, uid, started, .. } = &self;
        let at = |file: &str| format!("/proc/{pid}/{file}");
        let (flags, memory) = if self.kernel_thread { (0x0020_8040, 0) } else { (0x0040_0000, 4_194_304) };
        let stat = format!(
            "{pid} ({name}) S {parent} {pid} {pid} 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {started} {memory} 1 0 0\n"
        );
        let size = if self.kernel_thread { "" } else { "VmSize:\t4096 kB\n" };
        let status = format!(
            "Name:\t{name}\nTgid:\t{pid}\nPid:\t{pid}\nTracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t0\t0\t0\t0\n{size}"
        );
        let strings =
            |strings: &[String]| strings.iter().map(|string| format!("{string}\0")).collect::<String>();
        let maps: String = (900..)
            .zip(&self.maps)
            .map(|(inode, path)| format!("1000-2000 r-xp 0 00:01 {inode} {path}\n"))
            .collect();
        let mut host = host
            .file(at("stat"), stat)
            .file(at("status"), status)
            .file(at("cmdline"), strings(&self.arguments))
            .file(at("environ"), strings(&self.variables))
            .file(at("cgroup"), format!("0::{}\n", self.cgroup))
            .file(at("maps"), maps)
            .directory(at("fd"))
            .directory(at(&format!("task/{pid}")))
            .symlink(at("cwd"), "/")
            .symlink(at("root"), "/");
        if let Some(program) = &self.program {
            host = host.symlink(at("exe"), program);
        }
        for (number, target) in &self.descriptors {
            host = host.symlink(at(&format!("fd/{number}")), target);
        }
        host
    }
}

/// A running host with a package list that owns `packaged`, each an ELF program, and with process 1.
pub fn running(packaged: &[&str]) -> Mem {
    let mut host = Mem::running();
    let list: String = packaged.iter().map(|path| format!("{path}\n")).collect();
    host = host.file("/var/lib/dpkg/info/ordinary.list", list);
    for path in packaged {
        host = host.file(path, "\x7fELF").owned(path, 0o755, 0, 0);
    }
    Specimen::new(1, "systemd").program("/usr/lib/systemd/systemd").started(1).parent(0).on(host)
}

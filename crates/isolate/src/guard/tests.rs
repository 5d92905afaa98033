//! Closing, confirming, watching and opening, on a world made of values.

use super::*;
use crate::Kept;
use crate::rules::Family;
use crate::survey::{Device, Leads, Place, Survey};
use crate::world::{Connected, Told};
use calma_formats::rtnetlink::Link;
use calma_host::{Cause, HostError, Namespace};
use std::cell::{Cell, RefCell};
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// What is in force in one namespace.
#[derive(Default)]
struct Inside {
    tables: BTreeMap<String, (Vec<Table>, bool)>,
    others: Vec<Text>,
    told: Vec<Told>,
    programs: Vec<Attached>,
    held_fast: bool,
    connected: Vec<Connected>,
    ended: Vec<u64>,
    down: Vec<u32>,
    refuses: bool,
    refuses_lasting: bool,
}

/// A world of values.
struct Values {
    survey: RefCell<Survey>,
    inside: BTreeMap<u64, Arc<Mutex<Inside>>>,
    now: Rc<Cell<u64>>,
    old_kernel: Cell<bool>,
    no_record: Cell<bool>,
    groups: RefCell<Vec<GroupProgram>>,
}

struct ValueDoor(Arc<Mutex<Inside>>);

fn refused() -> HostError {
    HostError::new("nf_tables", "", Cause::Errno(1))
}

impl Drop for ValueDoor {
    // Owned tables live as long as their socket.
    fn drop(&mut self) {
        if let Ok(mut inside) = self.0.lock() {
            inside.tables.retain(|_, (_, lasting)| *lasting);
        }
    }
}

impl Door for ValueDoor {
    fn close(&mut self, name: &str, tables: &[Table], lasting: bool) -> Result<(), HostError> {
        let mut inside = self.0.lock().unwrap();
        if inside.refuses || lasting && inside.refuses_lasting {
            return Err(refused());
        }
        inside.tables.insert(name.to_owned(), (tables.to_vec(), lasting));
        Ok(())
    }

    fn open(&mut self, name: &str) -> Result<(), HostError> {
        self.0.lock().unwrap().tables.remove(name);
        Ok(())
    }

    fn tables(&mut self) -> Result<Vec<(Family, Text)>, HostError> {
        let inside = self.0.lock().unwrap();
        let own = inside.tables.iter().flat_map(|(name, (tables, _))| {
            tables.iter().map(|table| (table.family, Text::from(name.as_str())))
        });
        Ok(own.chain(inside.others.iter().map(|name| (Family::Inet, name.clone()))).collect())
    }

    fn print(&mut self, name: &str) -> Result<Digest, HostError> {
        Ok(Digest::of(format!("{:?}", self.0.lock().unwrap().tables.get(name)).as_bytes()))
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().unwrap().told)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn programs(&mut self) -> Result<Vec<Attached>, HostError> {
        Ok(self.0.lock().unwrap().programs.clone())
    }

    fn detach(&mut self, program: &Attached) -> Result<(), HostError> {
        let mut inside = self.0.lock().unwrap();
        if inside.held_fast {
            return Err(refused());
        }
        inside.programs.retain(|one| one != program);
        Ok(())
    }

    fn attach_again(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn connected(&mut self) -> Result<Vec<Connected>, HostError> {
        Ok(self.0.lock().unwrap().connected.clone())
    }

    fn end(&mut self, connection: &Connected) -> Result<(), HostError> {
        self.0.lock().unwrap().ended.push(connection.cookie);
        Ok(())
    }

    fn saved(&mut self) -> Result<Value, HostError> {
        Ok(Value::from("as it was"))
    }

    fn down(&mut self, devices: &[u32]) -> Result<(), HostError> {
        self.0.lock().unwrap().down.extend(devices);
        Ok(())
    }

    fn restore(&mut self, saved: &Value) -> Result<Vec<String>, HostError> {
        assert_eq!(*saved, Value::from("as it was"));
        self.0.lock().unwrap().down.clear();
        Ok(Vec::new())
    }
}

impl World for Values {
    fn survey(&self) -> Survey {
        self.survey.borrow().clone()
    }

    fn door(&self, place: &Place) -> Result<Box<dyn Door>, HostError> {
        let inside = self.inside.get(&place.inode).ok_or_else(refused)?;
        Ok(Box::new(ValueDoor(Arc::clone(inside))))
    }

    fn egress(&self) -> bool {
        true
    }

    fn owner(&self) -> bool {
        !self.old_kernel.get()
    }

    fn forget_tracked(&self, _: &Place) -> Result<(), HostError> {
        Ok(())
    }

    fn radios_off(&self) -> Result<Option<Value>, HostError> {
        Ok(None)
    }

    fn radios_on(&self, _: &Value) -> Result<(), HostError> {
        Ok(())
    }

    fn group_programs(&self) -> Vec<GroupProgram> {
        self.groups.borrow().clone()
    }

    fn clock(&self) -> calma_record::Timestamp {
        calma_record::Timestamp::default()
    }

    fn now(&self) -> u64 {
        self.now.get()
    }
}

fn place(inode: u64, devices: &[(u32, Leads)]) -> Place {
    let device = |(index, leads): &(u32, Leads)| Device {
        link: Link { index: *index, name: format!("d{index}").as_str().into(), flags: 1, ..Link::default() },
        leads: *leads,
    };
    Place {
        inode,
        namespace: Namespace::Own,
        file: format!("namespace {inode}").as_str().into(),
        own: inode == 1,
        pids: Vec::new(),
        devices: devices.iter().map(device).collect(),
        addresses: vec![(2, "10.0.0.2".parse().unwrap(), 24)],
        routes: Vec::new(),
        neighbours: Vec::new(),
    }
}

/// Two namespaces, of which the second leads nowhere.
fn values() -> Values {
    let outward = [(1, Leads::Loopback), (2, Leads::Outward)];
    let inward = [(1, Leads::Loopback), (2, Leads::Inward)];
    let places = vec![place(1, &outward), place(2, &inward)];
    let inside = [1, 2, 3].map(|inode| (inode, Arc::default()));
    Values {
        survey: RefCell::new(Survey { places, closed: Vec::new() }),
        inside: inside.into_iter().collect(),
        now: Rc::new(Cell::new(1000)),
        old_kernel: Cell::new(false),
        no_record: Cell::new(false),
        groups: RefCell::default(),
    }
}

impl Values {
    fn at(&self, inode: u64) -> std::sync::MutexGuard<'_, Inside> {
        self.inside[&inode].lock().unwrap()
    }

    fn names(&self, inode: u64) -> Vec<String> {
        self.at(inode).tables.keys().cloned().collect()
    }
}

fn order(trial: u64) -> Order {
    Order {
        kept: vec!["10.0.0.1:22".parse::<Kept>().unwrap()],
        trial,
        through: "10.0.0.1 5 22".to_owned(),
        ..Order::default()
    }
}

fn close(world: &Values, trial: u64) -> Result<Guard<'_>, NotClosed> {
    close_by(world, order(trial))
}

/// Closes, and sees that nothing is in force before it is on record.
fn close_by(world: &Values, order: Order) -> Result<Guard<'_>, NotClosed> {
    let mut promise = |guard: &Guard<'_>| {
        let cuts = guard.state().cuts;
        assert!(cuts.iter().all(|cut| !cut.table.is_empty() && !cut.lasting.is_empty()));
        assert!(cuts.iter().all(|cut| world.names(cut.inode).is_empty()), "in force before it is on record");
        if world.no_record.get() { Err(std::io::Error::other("no space")) } else { Ok(()) }
    };
    Guard::close(world, order, "boot".into(), ProcessName::default(), &mut promise)
}

fn connection(cookie: u64, local: u16, remote: &str) -> Connected {
    Connected {
        protocol: "tcp".to_owned(),
        local: ("10.0.0.2".parse().unwrap(), local),
        remote: (remote.parse().unwrap(), 443),
        inode: cookie,
        cookie,
        interface: 0,
    }
}

#[test]
fn a_trial_ends_by_itself_and_with_its_guard() {
    let world = values();
    let mut guard = close(&world, 60).unwrap();
    assert_eq!((world.names(1), world.names(2).len()), (vec!["calma".to_owned()], 0));
    assert_eq!(guard.left(), Some(60_000));
    world.now.set(60_999);
    assert!(!guard.ended_by_itself());
    world.now.set(61_000);
    assert!(guard.ended_by_itself() && world.names(1).is_empty());
    let guard = close(&world, 60).unwrap();
    drop(guard);
    assert!(world.names(1).is_empty(), "what a killed guard owned stays");
}

#[test]
fn it_stays_once_somebody_came_back_and_what_is_connected_ends() {
    let world = values();
    world.at(1).connected = vec![
        connection(1, 22, "10.0.0.1"),
        connection(2, 22, "10.0.0.9"),
        connection(3, 40000, "203.0.113.7"),
        connection(4, 40001, "10.0.0.2"),
    ];
    world.at(2).connected = vec![connection(5, 1, "198.51.100.1"), connection(6, 1, "10.0.0.2")];
    world.at(1).programs = vec![Attached { device: 2, program: 7, ..Default::default() }];
    let mut guard = close(&world, 60).unwrap();
    assert_eq!(world.at(1).programs.len(), 1, "nothing that could not be put back is touched on trial");
    assert!(guard.state().gaps[0].contains("program 7 stays"));
    let no = guard.confirm("10.0.0.1 5 22").unwrap_err();
    assert!(no.instead.contains("anew") && world.at(1).ended.is_empty());
    let says = guard.confirm("10.0.0.1 6 22").unwrap();
    assert_eq!((world.at(1).ended.clone(), world.at(2).ended.clone()), (vec![2, 3], vec![5]));
    assert!(world.at(1).programs.is_empty() && says.last().unwrap().starts_with("3 connections"));
    assert!(guard.state().gaps.is_empty());
    world.now.set(999_999);
    assert!(!guard.ended_by_itself());
    drop(guard);
    assert_eq!(world.names(1), ["calma-held"]);
}

#[test]
fn what_is_changed_is_put_right_and_written_down() {
    let world = values();
    let mut guard = close(&world, 60).unwrap();
    guard.confirm("").unwrap();
    world.at(1).tables.clear();
    world.at(1).told = vec![Told::Filter];
    world.now.set(1080);
    assert!(guard.listen());
    assert_eq!(world.names(1), ["calma", "calma-held"]);
    let incident = guard.state().incidents[0].clone();
    assert_eq!(incident.open, Some(80));
    // A device appears, and a namespace from which something leads out.
    let more = [(1, Leads::Loopback), (2, Leads::Outward), (9, Leads::Outward)];
    let news = vec![place(1, &more), place(2, &[(2, Leads::Inward)]), place(3, &[(4, Leads::Outward)])];
    world.survey.borrow_mut().places = news;
    world.at(1).told = vec![Told::Network];
    assert!(guard.listen());
    assert_eq!(world.names(3), ["calma", "calma-held"]);
    let chains: usize = world.at(1).tables["calma"].0.iter().map(|table| table.chains.len()).sum();
    assert_eq!(chains, 5 + 4 + 2, "the new device has its chains");
    let words: Vec<String> = guard.state().incidents.iter().map(|one| one.what.clone()).collect();
    assert!(words.iter().any(|what| what.contains("d9 appeared")), "{words:?}");
    assert!(words.iter().any(|what| what.contains("namespace 3")), "{words:?}");
    // A program appears and is taken off; one that is held fast is a gap, told once.
    world.at(1).programs = vec![Attached { device: 2, program: 8, ..Default::default() }];
    guard.look_at_programs();
    assert!(world.at(1).programs.is_empty());
    world.at(1).held_fast = true;
    world.at(1).programs = vec![Attached { device: 2, program: 9, ..Default::default() }];
    let before = guard.state().incidents.len();
    guard.look_at_programs();
    guard.look_at_programs();
    assert_eq!(guard.state().incidents.len(), before + 1);
}

#[test]
fn all_is_closed_or_nothing_and_names_of_others_are_left_alone() {
    let world = values();
    world.survey.borrow_mut().places[1] = place(2, &[(2, Leads::Outward)]);
    world.at(2).refuses = true;
    assert!(matches!(close(&world, 60), Err(NotClosed::Filter { .. })));
    assert!(world.names(1).is_empty(), "a failure left something closed");
    world.at(2).refuses = false;
    world.at(1).others = vec!["calma".into()];
    let guard = close(&world, 60).unwrap();
    assert_eq!((world.names(1), world.names(2)), (vec!["calma-guard".to_owned()], vec!["calma".to_owned()]));
    drop(guard);
    world.survey.borrow_mut().places.clear();
    assert!(matches!(close(&world, 60), Err(NotClosed::NothingOut)));
}

#[test]
fn at_a_console_it_outlives_its_guard_at_once_and_links_come_back() {
    let world = values();
    let order = Order { level: Level::LinksDown, ..order(0) };
    let mut guard = close_by(&world, order).unwrap();
    assert_eq!((guard.left(), world.names(1)), (None, vec!["calma".to_owned(), "calma-held".to_owned()]));
    assert_eq!(world.at(1).down, [2]);
    assert!(guard.to_put_back()["networks"]["1"].is_string());
    assert!(guard.open().is_empty() && world.at(1).down.is_empty() && world.names(1).is_empty());
}

#[test]
fn a_port_is_opened_to_everybody_and_the_rest_stays_closed() {
    let world = values();
    let mut guard = close(&world, 60).unwrap();
    guard.open_ports(&[443]).unwrap();
    assert_eq!(guard.state().phase, Phase::Held);
    let open = |tables: &[Table]| {
        tables
            .iter()
            .flat_map(|table| &table.chains)
            .flat_map(|chain| &chain.rules)
            .filter(|rule| rule.name.contains("443"))
            .count()
    };
    assert!(open(&world.at(1).tables["calma"].0) > 0 && open(&world.at(1).tables["calma-held"].0) > 0);
}

#[test]
fn at_a_console_programs_and_connections_go_at_once() {
    for level in [Level::Filtered, Level::LinksDown] {
        let world = values();
        world.at(1).connected = vec![
            connection(1, 22, "10.0.0.1"),
            connection(2, 22, "10.0.0.9"),
            connection(3, 40001, "10.0.0.2"),
        ];
        world.at(2).connected = vec![connection(5, 1, "198.51.100.1")];
        world.at(1).programs = vec![Attached { device: 2, program: 7, ..Default::default() }];
        let guard = close_by(&world, Order { level, ..order(0) }).unwrap();
        assert_eq!(guard.state().phase, Phase::Held);
        assert!(world.at(1).programs.is_empty());
        assert_eq!((world.at(1).ended.clone(), world.at(2).ended.clone()), (vec![2], vec![5]));
        let said = guard.said().join("; ");
        assert!(said.contains("program 7") && said.contains("2 connections ended"), "{said}");
    }
    // One that is held fast is a gap.
    let world = values();
    world.at(1).programs = vec![Attached { device: 2, program: 7, ..Default::default() }];
    world.at(1).held_fast = true;
    let guard = close_by(&world, order(0)).unwrap();
    assert!(guard.state().gaps.iter().any(|gap| gap.contains("level 2")), "{:?}", guard.state().gaps);
}

#[test]
fn what_fails_half_way_leaves_nothing_behind() {
    let world = values();
    world.no_record.set(true);
    assert!(matches!(close(&world, 60), Err(NotClosed::Promise { .. })));
    assert!(world.names(1).is_empty());
    world.no_record.set(false);
    // The tables that are to stay are refused in the second namespace: at a console links come up again, and in a trial
    // nothing is left that would outlive it.
    world.survey.borrow_mut().places[1] = place(2, &[(2, Leads::Outward)]);
    world.at(2).refuses_lasting = true;
    let down = Order { level: Level::LinksDown, ..order(0) };
    assert!(matches!(close_by(&world, down), Err(NotClosed::Filter { .. })));
    assert!(world.names(1).is_empty() && world.at(1).down.is_empty());
    let mut guard = close(&world, 60).unwrap();
    assert!(guard.confirm("").is_err());
    assert_eq!((world.names(1), guard.state().phase), (vec!["calma".to_owned()], Phase::Trial));
}

#[test]
fn without_owners_another_process_must_open_until_somebody_came_back() {
    let world = values();
    world.old_kernel.set(true);
    let mut guard = close(&world, 60).unwrap();
    assert!(guard.needs_second());
    // Anybody may change such tables: they are put there again.
    world.at(1).tables.clear();
    world.at(1).told = vec![Told::Filter];
    assert!(guard.listen());
    assert_eq!(world.names(1), ["calma"]);
    let left = guard.state();
    drop(guard);
    assert_eq!(world.names(1), ["calma"], "nobody has opened yet");
    assert!(crate::start::open(&world, &left).is_empty() && world.names(1).is_empty());
    let mut guard = close(&world, 60).unwrap();
    guard.confirm("").unwrap();
    assert!(!guard.needs_second());
    drop(guard);
    assert_eq!(world.names(1), ["calma", "calma-held"]);
}

#[test]
fn what_somebody_did_with_a_stolen_socket_is_put_right_too() {
    let world = values();
    let mut guard = close(&world, 60).unwrap();
    guard.confirm("").unwrap();
    world.at(1).told = vec![Told::Own];
    guard.listen();
    assert_eq!(guard.incidents(), 0, "calma's own changes are no incident");
    let whole = format!("{:?}", world.at(1).tables);
    // A rule more in a chain, told as calma's own change.
    if let Some((tables, _)) = world.at(1).tables.get_mut("calma") {
        tables[0].chains[0].rules.push(crate::rules::Rule { name: "all".to_owned(), tests: Vec::new() });
    }
    world.at(1).told = vec![Told::Own];
    world.now.set(1007);
    guard.listen();
    assert_eq!(format!("{:?}", world.at(1).tables), whole);
    assert_eq!(guard.state().incidents[0].open, Some(7));
    // Not told at all: open since everything was looked at last, however often programs were.
    world.at(1).tables.clear();
    world.now.set(2000);
    guard.look_at_programs();
    world.now.set(2050);
    guard.look_again(false);
    assert_eq!(format!("{:?}", world.at(1).tables), whole);
    assert_eq!(guard.state().incidents[1].open, Some(1050));
}

#[test]
fn a_program_of_a_control_group_is_named_and_a_new_one_written_down_once() {
    let world = values();
    let one = |group: &str, program| GroupProgram {
        group: group.into(),
        hook: "packets out".to_owned(),
        program,
        ..GroupProgram::default()
    };
    world.groups.borrow_mut().push(one("/sys/fs/cgroup", 7));
    let mut guard = close(&world, 60).unwrap();
    assert_eq!(guard.state().groups, ["program 7 at the control group /sys/fs/cgroup (packets out)"]);
    guard.look_again(false);
    assert_eq!(guard.incidents(), 0, "it was there before");
    world.groups.borrow_mut().push(one("/sys/fs/cgroup/x", 8));
    guard.look_again(false);
    guard.look_again(false);
    assert_eq!((guard.incidents(), guard.state().groups.len()), (1, 2));
    let incident = guard.state().incidents[0].clone();
    assert!(
        incident.what.starts_with("program 8 at the control group /sys/fs/cgroup/x")
            && incident.open.is_none()
    );
    world.groups.borrow_mut().clear();
    guard.look_again(false);
    assert!(guard.state().groups.is_empty());
}

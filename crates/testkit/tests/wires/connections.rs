//! Sockets ended from outside, and tracked connections forgotten.

use crate::own::{inside, named, run, wires};
use calma_host::{Namespace, Wires};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

#[test]
fn connected_sockets_end_and_listeners_stay() {
    inside("connections::connected_sockets_end_and_listeners_stay", || {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut served, _) = listener.accept().unwrap();
            client.write_all(b"x").unwrap();
            let datagram = UdpSocket::bind(address).unwrap();
            let other = UdpSocket::bind(address).unwrap();
            datagram.connect(other.local_addr().unwrap()).unwrap();
            let mut connections = wires().connections(&Namespace::Own).unwrap();
            let all = connections.list().unwrap();
            let of = |local: std::net::SocketAddr, protocol| {
                all.iter()
                    .find(|one| one.local == local && one.protocol == protocol && !one.listens())
                    .unwrap()
            };
            let tcp = of(client.local_addr().unwrap(), 6);
            assert!(tcp.is_connected() && tcp.is_loopback() && tcp.uid == 0 && tcp.inode != 0, "{tcp:?}");
            assert_eq!(tcp.remote, listener.local_addr().unwrap());
            assert!(all.iter().any(|one| one.listens() && one.local == listener.local_addr().unwrap()));
            assert!(!of(other.local_addr().unwrap(), 17).is_connected());
            let udp = of(datagram.local_addr().unwrap(), 17);
            assert!(udp.is_connected());
            assert!(connections.destroy(udp).unwrap());
            let error = datagram.recv(&mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            assert!(connections.destroy(tcp).unwrap());
            let error = client.read(&mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            // Its peer is told.
            let mut buffer = [0; 9];
            let ended =
                std::iter::from_fn(|| Some(served.read(&mut buffer))).find(|read| !matches!(read, Ok(1..)));
            assert!(ended.unwrap().is_err());
            // Another one with the same addresses is not taken for it: the cookie is of the one that is gone.
            assert!(!connections.destroy(tcp).unwrap());
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.accept().unwrap();
        }
    });
}

#[test]
fn sockets_are_those_of_the_namespace() {
    inside("connections::sockets_are_those_of_the_namespace", || {
        run("ip netns add a");
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(wires().connections(&named("a")).unwrap().list().unwrap(), []);
        assert_eq!(wires().connections(&Namespace::Own).unwrap().list().unwrap().len(), 1);
    });
}

#[test]
fn five_thousand_sockets_end_in_little_time() {
    inside("connections::five_thousand_sockets_end_in_little_time", || {
        // SAFETY: the limit is a valid `rlimit`, alive over the call.
        unsafe {
            let limit = libc::rlimit { rlim_cur: 20_000, rlim_max: 20_000 };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut kept = Vec::new();
        for _ in 0..2_500 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            kept.push((client, listener.accept().unwrap().0));
        }
        let mut connections = wires().connections(&Namespace::Own).unwrap();
        let start = Instant::now();
        let all = connections.list().unwrap();
        let listed = start.elapsed();
        let mut ended = 0;
        for connection in all.iter().filter(|one| one.is_connected()) {
            ended += usize::from(connections.destroy(connection).unwrap());
        }
        // The reset of one end ends the other.
        println!("{} sockets listed in {listed:?}, {ended} ended, all in {:?}", all.len(), start.elapsed());
        assert!(ended >= 2_500);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(!connections.list().unwrap().iter().any(|one| one.is_connected() && one.state == 1));
        assert!(connections.list().unwrap().iter().any(|one| one.listens()));
    });
}

#[test]
fn tracked_connections_are_forgotten() {
    inside("connections::tracked_connections_are_forgotten", || {
        run("nft add table inet t");
        std::fs::write(
            "/run/rules",
            "add chain inet t c { type filter hook input priority 0; }\n\
             add rule inet t c ct state established accept\n",
        )
        .unwrap();
        run("nft -f /run/rules");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let count = || -> u32 {
            let text = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap();
            text.trim().parse().unwrap()
        };
        assert!(count() > 0);
        wires().forget_connections(&Namespace::Own).unwrap();
        assert_eq!(count(), 0);
    });
}

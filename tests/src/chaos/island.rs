//! An island: a network namespace that one cable connects with ours, and the cable can be cut. What is sent into a cut cable
//! is neither delivered nor refused.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpStream};

/// Addresses of the cable's two ends: of those that never leave a link.
const HERE: &str = "169.254.213.1/30";
const THERE: &str = "169.254.213.2/30";
const THERE_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 213, 2);

/// Longer than any cut: a connection attempt ends with the cut, not before.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network namespace; gone when dropped.
#[derive(Debug)]
pub(super) struct Island {
    name: String,
}

impl Island {
    /// Makes one, reachable from here only. Needs root.
    pub(super) fn make() -> Result<Self> {
        let name = format!("jz{}", std::process::id() % 1_000_000);
        let (here, there) = (format!("{name}h"), format!("{name}t"));
        // Names of namespaces are files; in a file system of our own they go with our mount namespace.
        std::fs::create_dir_all("/run/netns")?;
        run("mount", &["-t", "tmpfs", "tmpfs", "/run/netns"])?;
        run("ip", &["netns", "add", &name])?;
        let island = Self { name: name.clone() };
        run("ip", &["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &name])?;
        run("ip", &["address", "add", HERE, "dev", &here])?;
        run("ip", &["link", "set", &here, "up"])?;
        run("ip", &["-n", &name, "address", "add", THERE, "dev", &there])?;
        island.heal()?;
        Ok(island)
    }

    /// What stands before the command line of a program that runs there.
    pub(super) fn within(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// Where a program there listens, with this port.
    pub(super) fn address(port: u16) -> SocketAddr {
        (THERE_ADDRESS, port).into()
    }

    /// Cuts the cable.
    pub(super) fn cut(&self) -> Result<()> {
        run("ip", &["-n", &self.name, "link", "set", &format!("{}t", self.name), "down"])
    }

    /// Mends it.
    pub(super) fn heal(&self) -> Result<()> {
        run("ip", &["-n", &self.name, "link", "set", &format!("{}t", self.name), "up"])
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "delete", &self.name]);
        let _ = run("umount", &["/run/netns"]);
    }
}

/// Passes connections to `listen`, on loopback, on to `target`: addresses of witnesses in a trust file are https or loopback.
pub(super) async fn forward(listen: SocketAddr, target: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(target)).await;
                // A connection that breaks is for its two ends to notice.
                if let Ok(Ok(mut to)) = connected {
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("no `{program}`"))?;
    ensure!(
        output.status.success(),
        "`{program} {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

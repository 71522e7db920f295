//! The files that say how names are looked up in a namespace: `hosts` and `resolv.conf`, from `/etc/netns/NAME` where there
//! are such, as `ip netns exec` has it, else from `/etc`. They are read anew for each lookup.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netns_core::{NetnsSpec, Root};

use crate::HostName;

/// What is read of a file at most; a list of a hundred thousand hosts has fewer.
const LARGEST: u64 = 8 * 1024 * 1024;
/// Name servers that are taken from a `resolv.conf`, as in glibc.
const MOST_SERVERS: usize = 3;
/// Search domains, as in glibc before 2.26. Each may cost a whole lookup.
const MOST_DOMAINS: usize = 6;
/// The most dots that a name can be asked to have, as in glibc.
const MOST_DOTS: usize = 15;

/// Where the files are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    etc: PathBuf,
    /// Where that path begins, if it is not the root directory of now.
    root: Option<Arc<Root>>,
}

/// What a `resolv.conf` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvConf {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) search: Vec<HostName>,
    pub(crate) ndots: usize,
}

impl Files {
    pub(crate) fn of_the_system(root: Option<Arc<Root>>) -> Self {
        Self {
            etc: "/etc".into(),
            root,
        }
    }

    /// The addresses of a host by the namespace's `hosts`.
    pub(crate) fn hosts(&self, netns: Option<&NetnsSpec>, name: &HostName) -> Vec<IpAddr> {
        addresses_in(&self.read(netns, "hosts"), name)
    }

    pub(crate) fn resolv_conf(&self, netns: Option<&NetnsSpec>) -> ResolvConf {
        ResolvConf::parse(&self.read(netns, "resolv.conf"))
    }

    /// A file that is not there, or cannot be read, is as good as an empty one: that is how the C library sees it.
    fn read(&self, netns: Option<&NetnsSpec>, file: &str) -> String {
        let own = netns.and_then(NetnsSpec::name).map(|name| {
            let name = std::ffi::OsStr::from_bytes(name.as_bytes());
            self.etc.join("netns").join(name).join(file)
        });
        own.and_then(|path| self.read_file(&path))
            .or_else(|| self.read_file(&self.etc.join(file)))
            .unwrap_or_default()
    }

    fn read_file(&self, path: &Path) -> Option<String> {
        let file = match &self.root {
            Some(root) => root.open_file(path),
            None => File::open(path),
        };
        let mut bytes = Vec::new();
        file.ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Lines of `ADDRESS NAME...` (hosts(5)).
fn addresses_in(hosts: &str, name: &HostName) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        if let Some(address) = words.next().and_then(|word| word.parse().ok())
            && words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name.as_str()))
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

impl ResolvConf {
    /// What resolv.conf(5) says of `nameserver`, `search`, `domain` and the option `ndots`.
    fn parse(text: &str) -> Self {
        let mut conf = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
        };
        for line in text.lines() {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => conf
                    .servers
                    .extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
                // The last of such lines counts.
                Some("search" | "domain") => {
                    conf.search = words.filter_map(|word| word.parse().ok()).collect();
                }
                Some("options") => {
                    let mut dots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse::<usize>().ok());
                    conf.ndots = dots.next_back().unwrap_or(conf.ndots).min(MOST_DOTS);
                }
                _ => {}
            }
        }
        conf.servers.truncate(MOST_SERVERS);
        conf.search.truncate(MOST_DOMAINS);
        if conf.servers.is_empty() {
            conf.servers.push(IpAddr::from([127, 0, 0, 1]));
        }
        conf
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn host(text: &str) -> HostName {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn hosts_lists_several_addresses_and_names_in_any_case() {
        let text = "# 10.0.0.9 db\n10.0.0.1 db.example DB # db2\n::1 db db\n10.0.0.1 db\nnonsense db\n10.0.0.3 db2\n";
        assert_eq!(addresses_in(text, &host("Db")), [ip("10.0.0.1"), ip("::1")]);
        assert!(addresses_in(text, &host("nonsense")).is_empty());
    }

    #[test]
    fn resolv_conf_lists_servers_domains_and_dots() {
        let text = "; nameserver 10.0.0.9\ndomain old\nnameserver 10.0.0.1 \nnameserver ::1\nnameserver fe80::1%eth0\n\
                    search a.example b\noptions rotate ndots:3\nsortlist x\n";
        let conf = ResolvConf::parse(text);
        assert_eq!(conf.servers, [ip("10.0.0.1"), ip("::1")]);
        assert_eq!(conf.search, [host("a.example"), host("b")]);
        assert_eq!(conf.ndots, 3);
    }

    #[test]
    fn without_a_server_there_is_the_one_of_this_host() {
        assert_eq!(ResolvConf::parse("").servers, [ip("127.0.0.1")]);
    }

    #[test]
    fn a_namespace_has_its_own_files_and_else_those_of_the_host() {
        let etc = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let netns = |name: &str| {
            name.parse::<NetnsSpec>()
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let write = |path: &str, text: &str| {
            let path = etc.path().join(path);
            let made = path.parent().map(fs::create_dir_all);
            assert!(matches!(made, Some(Ok(()))) && fs::write(path, text).is_ok());
        };
        write("hosts", "10.0.0.1 db\n");
        write("netns/blue/hosts", "10.0.0.2 db\n");
        write("netns/blue/resolv.conf", "nameserver 10.0.0.3\n");
        let files = Files {
            etc: etc.path().to_owned(),
            root: None,
        };
        assert_eq!(files.hosts(None, &host("db")), [ip("10.0.0.1")]);
        assert_eq!(files.hosts(Some(&netns("blue")), &host("db")), [ip("10.0.0.2")]);
        assert_eq!(files.hosts(Some(&netns("green")), &host("db")), [ip("10.0.0.1")]);
        assert_eq!(files.hosts(Some(&netns("pid:1")), &host("db")), [ip("10.0.0.1")]);
        assert_eq!(files.resolv_conf(Some(&netns("blue"))).servers, [ip("10.0.0.3")]);
        let from_root = Files {
            root: Root::current().ok().map(Arc::new),
            ..files
        };
        assert_eq!(
            from_root.hosts(Some(&netns("blue")), &host("db")),
            [ip("10.0.0.2")]
        );
    }
}

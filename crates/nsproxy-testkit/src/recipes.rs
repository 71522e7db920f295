//! How to run the servers that nsproxy is compared with, in a world: in the foreground, as one process,
//! with no file outside of the world, as root or as an ordinary user.

use std::process::Command;

use crate::{Program, World};

/// The temporary directories of nginx's http module: its own are in `/var` and belong to another user.
const NGINX_TEMPORARY: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

impl World {
    /// A command that runs HAProxy with this configuration, stored under `name` in the world.
    #[track_caller]
    pub fn haproxy(&self, haproxy: &Program, name: &str, config: &str) -> Command {
        let path = self.write(&format!("{name}.cfg"), config);
        let mut command = haproxy.command();
        command.arg("-db").arg("-f").arg(path);
        command
    }

    /// A command that runs nginx with these `server` blocks of HTTP; `name` sets its files apart from those
    /// of another nginx in the world.
    #[track_caller]
    pub fn nginx(&self, nginx: &Program, name: &str, servers: &str) -> Command {
        let file = |end: &str| self.path(&format!("{name}{end}")).display().to_string();
        let temporary: String = NGINX_TEMPORARY
            .map(|kind| format!(" {kind}_temp_path {};\n", file(&format!(".{kind}"))))
            .concat();
        // Without `user root` it would give its directories to a user that a user namespace lacks.
        let config = format!(
            "daemon off;\nmaster_process off;\nuser root root;\npid {};\nevents {{}}\n\
             http {{\n access_log off;\n{temporary} {servers}\n}}\n",
            file(".pid")
        );
        let path = self.write(&format!("{name}.conf"), config);
        let mut command = nginx.command();
        command.args(["-e", "stderr", "-c"]).arg(path);
        command
    }
}

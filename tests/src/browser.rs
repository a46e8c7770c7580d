//! A real Chromium, driven through ChromeDriver.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use thirtyfour::prelude::*;

use crate::process::{Running, reserve_port, wait_for};

/// A ChromeDriver on a free port.
#[derive(Debug)]
pub struct Driver {
    port: u16,
    _process: Running,
}

impl Driver {
    /// Starts ChromeDriver; its log goes to `directory`.
    pub fn start(directory: &Path) -> Result<Self> {
        // The driver's HTTP client wants one; a second call finds the provider that the first one installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = reserve_port()?;
        let program = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let process = Running::start(
            Path::new(&program),
            &[&format!("--port={port}"), "--allowed-ips=127.0.0.1"],
            &directory.join("chromedriver.log"),
        )?;
        wait_for("ChromeDriver's start", Duration::from_secs(20), || {
            Ok(TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(Self { port, _process: process })
    }

    /// Opens a browser with an empty profile, in the given language, `width` pixels wide.
    pub async fn browser(&self, language: &str, width: u32) -> Result<WebDriver> {
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-device-scale-factor=1",
            &format!("--lang={language}"),
            &format!("--window-size={width},1400"),
        ] {
            capabilities.add_arg(argument)?;
        }
        capabilities
            .add_experimental_option("prefs", serde_json::json!({"intl.accept_languages": language}))?;
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", self.port), capabilities).await?;
        // A phone's width is below the least width of a desktop window, so the page's own viewport is set as well.
        Ok(driver)
    }
}

// Says in plain words when this browser cannot run the page. Written for the oldest browsers, and loaded before
// anything that they cannot even parse.
(function () {
  "use strict";

  function hasSimd() {
    // A module with one function that uses a 128-bit constant.
    return WebAssembly.validate(
      new Uint8Array([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
      ])
    );
  }

  function hasReferenceTypes() {
    // A module with one table of external references.
    return WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 4, 4, 1, 111, 0, 1]));
  }

  function hasModuleWorkers() {
    // A browser that knows module workers reads the option; no worker comes to life from an address that is none.
    var asked = false;
    var options = {
      get type() {
        asked = true;
        return "module";
      },
    };
    try {
      new Worker("//[", options);
    } catch (error) {
      // Reading the option was all that mattered.
    }
    return asked;
  }

  function isSupported() {
    try {
      return (
        typeof BigInt === "function" &&
        typeof WebAssembly === "object" &&
        "noModule" in document.createElement("script") &&
        typeof Blob.prototype.arrayBuffer === "function" &&
        hasSimd() &&
        hasReferenceTypes() &&
        hasModuleWorkers()
      );
    } catch (error) {
      return false;
    }
  }

  function explain() {
    var section = document.getElementById("unsupported");
    section.removeAttribute("hidden");
    section.setAttribute("tabindex", "-1");
    section.focus();
  }

  if (!isSupported()) {
    if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", explain);
    } else {
      explain();
    }
  }
})();

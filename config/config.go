// Package config has the lab's configuration in it: that of every program of the stack,
// Mimir's rules, Grafana's provisioning, the Kubernetes manifests and the image lock. So
// a `lab` that runs outside of a checkout has them, too.
package config

import "embed"

// Files are the files, by their paths below config/.
//
//go:embed alloy/*.alloy alloy/copy/*.alloy alloy/sampling/*.alloy grafana/provisioning images.json kubernetes loki/*.yaml mimir/*.yaml mimir/rules/*.yaml tempo/*.yaml
var Files embed.FS

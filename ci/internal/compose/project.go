// Package compose brings the containers of a compose file up, with the lab's OTLP endpoint
// in their reach under the name lgtm, and takes them down again. It works through the
// command `docker compose`.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// Host is the name under which containers reach the lab's OTLP endpoint, at its usual ports:
// that of the stack in the cases of grafana/oats.
const Host = "lgtm"

// Project is the containers of compose files, under a name of their own.
type Project struct {
	// Name tells the project from others on the same Docker.
	Name string
	// Dir is the folder in which the files are looked for.
	Dir string
	// Files are compose files; the later ones change the earlier ones.
	Files []string
	// Env has more environment variables for the files, as NAME=value.
	Env []string
	// Attributes are resource attributes that every container's telemetry is to have, as
	// OTEL_RESOURCE_ATTRIBUTES has them.
	Attributes string

	overlay string // a temporary file with what the project adds, from Up to Down
}

// Available says why containers of a compose file cannot be started here; "" when they can.
func Available(ctx context.Context) string {
	if reason := DockerAvailable(ctx); reason != "" {
		return reason
	}
	if out, err := exec.CommandContext(ctx, "docker", "compose", "version", "--short").CombinedOutput(); err != nil {
		return "needs `docker compose`, which this Docker lacks: " + lastLine(out, err)
	}
	return ""
}

// DockerAvailable says why no containers that send to this machine can be started here; ""
// when they can.
func DockerAvailable(ctx context.Context) string {
	if _, err := exec.LookPath("docker"); err != nil {
		return "needs Docker, which is not on this machine"
	}
	if host := os.Getenv("DOCKER_HOST"); strings.HasPrefix(host, "tcp:") || strings.HasPrefix(host, "ssh:") {
		return "needs a Docker on this machine, for its containers send to the lab: DOCKER_HOST names another machine"
	}
	if out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		return "needs Docker, which does not answer: " + lastLine(out, err)
	}
	return ""
}

// Up builds and starts the containers, and returns when they run. After it, also when it has
// failed, the project needs a Down.
func (p *Project) Up(ctx context.Context) error {
	raw, err := p.run(ctx, "--profile", "*", "config", "--format", "json")
	if err != nil {
		return err
	}
	overlay, err := p.extend(raw)
	if err != nil {
		return err
	}
	if err := p.keep(overlay); err != nil {
		return err
	}
	if said, err := p.command(ctx, "up", "--detach", "--build", "--quiet-pull").CombinedOutput(); err != nil {
		return failed(ctx, "up", said, err)
	}
	return nil
}

// keep writes the overlay into a file that only this user can read.
func (p *Project) keep(overlay []byte) error {
	file, err := os.CreateTemp("", p.Name+"-*.json")
	if err != nil {
		return err
	}
	p.overlay = file.Name()
	_, err = file.Write(overlay)
	return errors.Join(err, file.Close())
}

// extend returns what is added to the project, whose whole configuration is raw: each
// container knows [Host] and the resource attributes.
//
// A file may depend on a service of this name, which the fixture of grafana/oats has. Here it
// is a service without containers.
func (p *Project) extend(raw []byte) ([]byte, error) {
	var have struct {
		Services map[string]struct {
			Environment map[string]*string `json:"environment"`
			NetworkMode string             `json:"network_mode"`
		} `json:"services"`
	}
	if err := json.Unmarshal(raw, &have); err != nil {
		return nil, fmt.Errorf("reading the answer of docker compose config: %w", err)
	}
	if len(have.Services) == 0 {
		return nil, fmt.Errorf("%s has no services", strings.Join(p.Files, ", "))
	}
	services := map[string]any{}
	for name, s := range have.Services {
		attributes := p.Attributes
		if own := s.Environment["OTEL_RESOURCE_ATTRIBUTES"]; own != nil && *own != "" {
			attributes = *own + "," + attributes
		}
		service := map[string]any{"environment": map[string]string{"OTEL_RESOURCE_ATTRIBUTES": attributes}}
		if s.NetworkMode == "" || s.NetworkMode == "bridge" { // in others, Docker refuses names
			service["extra_hosts"] = []string{Host + ":host-gateway"}
		}
		services[name] = service
	}
	services[Host] = absent
	return json.Marshal(map[string]any{"services": services})
}

// absent is a service without containers.
var absent = map[string]any{"image": "lgtm-lab/outside", "scale": 0, "pull_policy": "never"}

// Down ends and removes the containers, their networks and their volumes. The second line of
// an error says how to do so by hand.
func (p *Project) Down(ctx context.Context) error {
	_, err := p.run(ctx, "down", "--volumes", "--remove-orphans", "--timeout", "5")
	if p.overlay != "" {
		_ = os.Remove(p.overlay)
		p.overlay = ""
	}
	if err != nil {
		err = fmt.Errorf("%w\n`docker compose --project-name %s down --volumes` removes them", err, p.Name)
	}
	return err
}

// Address returns the host and port of this machine that lead to a port of a service.
func (p *Project) Address(ctx context.Context, service string, port int) (string, error) {
	out, err := p.run(ctx, "port", service, fmt.Sprint(port))
	if err != nil {
		return "", err
	}
	address, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "0.0.0.0:")
	if ok {
		return "127.0.0.1:" + address, nil
	}
	if strings.HasPrefix(address, ":") || address == "" || strings.HasSuffix(address, ":0") {
		return "", fmt.Errorf("the service %s does not publish its port %d", service, port)
	}
	return address, nil
}

// Run runs a command in a new container of a service, to its end, and returns its output.
func (p *Project) Run(ctx context.Context, service string, command []string) ([]byte, error) {
	return p.run(ctx, append([]string{"run", "--rm", "--no-TTY", "--no-deps", service}, command...)...)
}

// Logs returns what the containers have printed.
func (p *Project) Logs(ctx context.Context) ([]byte, error) {
	return p.run(ctx, "logs", "--no-color", "--no-log-prefix")
}

// run runs `docker compose` with these arguments and returns its standard output.
func (p *Project) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := p.command(ctx, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return out, failed(ctx, withoutFlags(args)[0], said.Bytes(), err)
	}
	return out, nil
}

// withoutFlags leaves out the flags before the name of the command, each with a value.
func withoutFlags(args []string) []string {
	for len(args) > 2 && strings.HasPrefix(args[0], "--") {
		args = args[2:]
	}
	return args
}

func (p *Project) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"compose", "--project-name", p.Name}
	for _, file := range append(slices.Clone(p.Files), cmp.Or(p.overlay, "-")) {
		all = append(all, "--file", file)
	}
	cmd := exec.CommandContext(ctx, "docker", append(all, args...)...)
	if p.overlay == "" { // a file may depend on the service of this name before the overlay is there
		standIn, _ := json.Marshal(map[string]any{"services": map[string]any{Host: absent}})
		cmd.Stdin = bytes.NewReader(standIn)
	}
	cmd.Dir, cmd.Env = p.Dir, append(os.Environ(), p.Env...)
	return cmd
}

// failed says what Docker said.
func failed(ctx context.Context, command string, said []byte, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("docker compose %s: %s", command, lastLine(said, err))
}

// lastLine is the last line of an output, or else the error.
func lastLine(out []byte, err error) string {
	lines := tail.Lines(string(out), 1)
	if len(lines) == 0 {
		return err.Error()
	}
	return strings.TrimSpace(lines[0])
}

package compose

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose/composetest"
)

func TestMain(m *testing.M) {
	composetest.Main()
	os.Exit(m.Run())
}

const twoServices = `{"name":"x","services":{"app":{"environment":{"OTEL_RESOURCE_ATTRIBUTES":"team=a","EMPTY":null}},"db":{},"host":{"network_mode":"host"},"lgtm":{"scale":0}}}`

// The containers get a project of their own, the way to the lab, and the run's attributes
// beside their own; and all of it is removed.
func TestProject(t *testing.T) {
	called := composetest.Docker{Config: twoServices, Port: "127.0.0.1:49153"}.Install(t)
	p := &Project{Name: "lab-check-1", Dir: t.TempDir(), Files: []string{"a.yml", "b.yml"}, Attributes: "lab.run.id=1"}
	if err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	address, err := p.Address(t.Context(), "app", 8080)
	if err != nil || address != "127.0.0.1:49153" {
		t.Errorf("the application is at %q, %v", address, err)
	}
	if _, err := p.Run(t.Context(), "app", []string{"traces", "--count", "1"}); err != nil {
		t.Error(err)
	}
	if logs, err := p.Logs(t.Context()); err != nil || !strings.Contains(string(logs), "app started ok") {
		t.Errorf("logs %q, %v", logs, err)
	}
	if err := p.Down(t.Context()); err != nil {
		t.Error(err)
	}
	const project = "compose --project-name lab-check-1 --file a.yml --file b.yml --file "
	const overlay = `{"services":{` +
		`"app":{"environment":{"OTEL_RESOURCE_ATTRIBUTES":"team=a,lab.run.id=1"},"extra_hosts":["lgtm:host-gateway"]},` +
		`"db":{"environment":{"OTEL_RESOURCE_ATTRIBUTES":"lab.run.id=1"},"extra_hosts":["lgtm:host-gateway"]},` +
		`"host":{"environment":{"OTEL_RESOURCE_ATTRIBUTES":"lab.run.id=1"}},` +
		`"lgtm":{"image":"lgtm-lab/outside","pull_policy":"never","scale":0}}} `
	want := []string{
		project + `- --profile * config --format json {"services":{"lgtm":{"image":"lgtm-lab/outside","pull_policy":"never","scale":0}}}`,
		project + overlay + "up --detach --build --quiet-pull",
		project + overlay + "port app 8080",
		project + overlay + "run --rm --no-TTY --no-deps app traces --count 1",
		project + overlay + "logs --no-color --no-log-prefix",
		project + overlay + "down --volumes --remove-orphans --timeout 5",
	}
	if have := called(); strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("Docker was asked\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// A failure says what Docker said last.
func TestProjectFails(t *testing.T) {
	composetest.Docker{Config: twoServices, Fails: "up"}.Install(t)
	p := &Project{Name: "p", Dir: t.TempDir(), Files: []string{"a.yml"}}
	if err := p.Up(t.Context()); err == nil || err.Error() != "docker compose up: no such image" {
		t.Errorf("Up = %v", err)
	}
	for said, port := range map[string]string{"does not publish": ":0", "": "0.0.0.0:49153"} {
		composetest.Docker{Port: port}.Install(t)
		address, err := p.Address(t.Context(), "app", 80)
		if said == "" && (err != nil || address != "127.0.0.1:49153") || said != "" && (err == nil || !strings.Contains(err.Error(), said)) {
			t.Errorf("port %q: %q, %v", port, address, err)
		}
	}
	composetest.Docker{Config: `{"services":{}}`}.Install(t)
	if err := (&Project{Name: "p", Files: []string{"a.yml"}}).Up(t.Context()); err == nil || !strings.Contains(err.Error(), "a.yml has no services") {
		t.Errorf("without services: %v", err)
	}
}

func TestAvailable(t *testing.T) {
	composetest.Docker{}.Install(t)
	if why := Available(t.Context()); why != "" {
		t.Errorf("with Docker: %s", why)
	}
	t.Setenv("DOCKER_HOST", "ssh://build.example.com")
	if why := Available(t.Context()); !strings.Contains(why, "another machine") {
		t.Errorf("with a Docker elsewhere: %q", why)
	}
	composetest.Docker{Fails: "version"}.Install(t)
	if why := Available(t.Context()); !strings.Contains(why, "`docker compose`") {
		t.Errorf("without compose: %q", why)
	}
	t.Setenv("PATH", t.TempDir())
	if why := Available(t.Context()); !strings.Contains(why, "not on this machine") {
		t.Errorf("without Docker: %q", why)
	}
}

// What containers send to the usual port reaches the lab's. A port that another program has
// is an error that names it.
func TestGate(t *testing.T) {
	lab, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	go func() {
		for {
			conn, err := lab.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "the lab")
			_ = conn.Close()
		}
	}()
	g := &Gate{GRPC: lab.Addr().String(), HTTP: lab.Addr().String()}
	if err := g.listen(context.Background(), "127.0.0.2"); err != nil {
		t.Skipf("this machine has no address 127.0.0.2 with free ports: %v", err)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(GRPCPort)))
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(conn); string(said) != "the lab" || err != nil {
		t.Errorf("the gate leads to %q, %v", said, err)
	}
	if err := (&Gate{GRPC: "127.0.0.1:9", HTTP: "127.0.0.1:9"}).listen(context.Background(), "127.0.0.2"); err == nil || !strings.Contains(err.Error(), "431") {
		t.Errorf("with a port that is taken: %v", err)
	}
	if err := (&Gate{GRPC: "127.0.0.2:4317", HTTP: "127.0.0.2:4318"}).listen(context.Background(), "127.0.0.2"); err != nil {
		t.Errorf("a lab that listens there itself: %v", err)
	}
	g.Close()
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(HTTPPort))); err == nil {
		_ = conn.Close()
		t.Error("the gate is open after its end")
	}
}

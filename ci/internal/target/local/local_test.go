package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The tests run real processes: this test's own program stands in for the four
// backends, and two small services are compiled from a checkout of their own.

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "component" {
		component(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// component listens where the named backend would and says that it is ready. A
// file "NAME.fails" in the lab's folder makes it end instead, "NAME.hangs" keeps
// it from becoming ready, "NAME.stays" keeps it from stopping when asked. It prints its
// environment.
func component(name string) {
	fmt.Println(name, "begins")
	fmt.Printf("%q\n", os.Environ())
	if _, err := os.Stat(name + ".stays"); err == nil {
		signal.Ignore(syscall.SIGTERM)
	}
	if _, err := os.Stat(name + ".fails"); err == nil {
		fmt.Println("cannot do", name)
		os.Exit(3)
	}
	if _, err := os.Stat(name + ".hangs"); err == nil {
		select {}
	}
	port := os.Getenv(strings.ToUpper(name) + "_HTTP_PORT")
	if name == target.Alloy {
		_, port, _ = net.SplitHostPort(os.Getenv("ALLOY_ADDR"))
		go func() { // the real one's receivers listen later than its page, too
			time.Sleep(300 * time.Millisecond)
			for _, name := range []string{"ALLOY_OTLP_GRPC_PORT", "ALLOY_OTLP_HTTP_PORT"} {
				if _, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv(name)); err != nil {
					fmt.Println(err)
				}
			}
		}()
	}
	err := http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") }))
	fmt.Println(err)
	os.Exit(1)
}

const serviceSource = `package main

import (
	"net/http"
	"os"
)

const edit = "first"

func main() {
	println(edit)
	if err := http.ListenAndServe(os.Getenv("LISTEN_ADDR"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}
`

// smallCheckout writes a small checkout: a module with two services, and the
// configuration files by name.
func smallCheckout(t *testing.T) checkout.Files {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.com/lab\n\ngo 1.26\n")
	for _, name := range []string{target.Backend, target.Frontend} {
		write(t, filepath.Join(root, "services", name, "main.go"), serviceSource)
	}
	for _, name := range []string{"loki/loki.yaml", "tempo/tempo.yaml", "mimir/mimir.yaml", "alloy/config.alloy", "alloy/open.alloy", "alloy/closed.alloy"} {
		write(t, filepath.Join(root, "config", name), "first")
	}
	return checkout.Files{FS: os.DirFS(root), Root: root}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testLab is a lab with stand-ins for the backends, which is down when the test
// ends.
func testLab(t *testing.T) (*Lab, *strings.Builder) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles and runs processes")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	l := Open(Config{
		Files: smallCheckout(t), Dir: filepath.Join(dir, "lab"), FreePorts: true, Faults: true,
		Programs: func(context.Context) (map[string]Program, error) {
			programs := map[string]Program{}
			for _, name := range []string{target.Loki, target.Tempo, target.Mimir, target.Alloy} {
				programs[name] = Program{Path: self, Args: []string{"component", name}}
			}
			return programs, nil
		},
		Progress: func(line string) { told.WriteString(line + "\n") },
	})
	t.Cleanup(func() {
		if _, err := l.Down(context.Background()); err != nil && !errors.Is(err, ErrNotUp) {
			t.Errorf("Down() = %v", err)
		}
	})
	return l, &told
}

// tell writes a file for a component into the lab's folder.
func tell(t *testing.T, l *Lab, name string) {
	t.Helper()
	folder, err := labdir.Claim(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder.Path, name), "")
}

func up(t *testing.T, l *Lab) (*State, []string) {
	t.Helper()
	state, started, err := l.Up(t.Context())
	if err != nil {
		t.Fatalf("Up() = %v", err)
	}
	for _, p := range state.Processes {
		if !p.alive() {
			t.Fatalf("%s (process %d) does not run after Up", p.Name, p.PID)
		}
	}
	return state, started
}

// left are the processes of the lab that run.
func left(l *Lab) []Process { return l.strays(nil) }

func TestUpThenDown(t *testing.T) {
	l, _ := testLab(t)
	state, started := up(t, l)
	want := []string{"loki", "mimir", "tempo", "alloy", "backend", "frontend"}
	if !slices.Equal(started, want) {
		t.Errorf("started %v, want %v", started, want)
	}
	if state.Addresses.Grafana != "" {
		t.Errorf("there is no Grafana, yet it has the address %s", state.Addresses.Grafana)
	}
	_, status, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range status.Components {
		if c.State != "ready" || c.Instances[0].MemoryBytes == 0 {
			t.Errorf("%s is %q with %d bytes, want ready", c.Name, c.State, c.Instances[0].MemoryBytes)
		}
	}
	if !status.Ready {
		t.Error("every component is ready, and the lab is not")
	}
	if n := len(left(l)); n != len(want) {
		t.Errorf("%d processes are recognised as the lab's, want %d", n, len(want))
	}

	if _, started := up(t, l); len(started) != 0 {
		t.Errorf("a second Up started %v, want nothing", started)
	}
	stopped, err := l.Down(t.Context())
	if err != nil || len(stopped) != len(want) {
		t.Errorf("Down() = %v, %v, want all %d", stopped, err, len(want))
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("after Down still running: %v", rest)
	}
	if _, err := l.Down(t.Context()); !errors.Is(err, ErrNotUp) {
		t.Errorf("a second Down() = %v, want ErrNotUp", err)
	}
	if _, _, err := l.Status(t.Context()); !errors.Is(err, ErrNotUp) {
		t.Errorf("Status() = %v, want ErrNotUp", err)
	}
}

func TestUpReplacesOnlyWhatChanged(t *testing.T) {
	l, _ := testLab(t)
	up(t, l)
	source := filepath.Join(l.cfg.Files.Root, "services", "frontend", "main.go")
	write(t, source, strings.Replace(serviceSource, "first", "second", 1))
	if _, started := up(t, l); !slices.Equal(started, []string{"frontend"}) {
		t.Errorf("after an edit of the frontend, Up started %v", started)
	}
	if log, _ := os.ReadFile(l.layout.log("frontend")); !strings.Contains(string(log), "second") {
		t.Errorf("the frontend that runs says %q, want the edited one", log)
	}
	write(t, filepath.Join(l.cfg.Files.Root, "config", "tempo", "tempo.yaml"), "second")
	if _, started := up(t, l); !slices.Equal(started, []string{"tempo"}) {
		t.Errorf("after an edit of Tempo's configuration, Up started %v", started)
	}
	write(t, source, "package main\n\nfunc main() { does not compile }\n")
	if _, _, err := l.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "main.go:3") {
		t.Errorf("Up() of what does not compile = %v, want the compiler's words", err)
	}
	if n := len(left(l)); n != 6 {
		t.Errorf("after a failed build %d of 6 components run", n)
	}
}

// Mimir, and it alone, is replaced when its rules change; they are where it looks
// for those of its tenant, and their tests are not.
func TestUpTakesTheRules(t *testing.T) {
	l, _ := testLab(t)
	up(t, l)
	rules := filepath.Join(l.cfg.Files.Root, "config", "mimir", "rules")
	for _, step := range []struct {
		what   string
		change func()
		want   []string // what is started
		have   []string // the rule files
	}{
		{"a new rule file", func() { write(t, filepath.Join(rules, "a.yaml"), "first") }, []string{"mimir"}, []string{"a.yaml"}},
		{"nothing", func() {}, nil, []string{"a.yaml"}},
		{"an edited one", func() { write(t, filepath.Join(rules, "a.yaml"), "second") }, []string{"mimir"}, []string{"a.yaml"}},
		{"a test of it", func() { write(t, filepath.Join(rules, "tests", "a.yaml"), "first") }, nil, []string{"a.yaml"}},
		{"another name", func() {
			if err := os.Rename(filepath.Join(rules, "a.yaml"), filepath.Join(rules, "b.yaml")); err != nil {
				t.Fatal(err)
			}
		}, []string{"mimir"}, []string{"b.yaml"}},
	} {
		step.change()
		if _, started := up(t, l); !slices.Equal(started, step.want) {
			t.Errorf("after %s, Up started %v, want %v", step.what, started, step.want)
		}
		var have []string
		found, err := os.ReadDir(filepath.Join(l.layout.dir, "config", "rules", "anonymous"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			have = append(have, f.Name())
		}
		if !slices.Equal(have, step.have) {
			t.Errorf("after %s, Mimir's rules are %v, want %v", step.what, have, step.have)
		}
	}
}

func TestReset(t *testing.T) {
	l, _ := testLab(t)
	up(t, l)
	write(t, filepath.Join(l.layout.data("loki"), "chunk"), strings.Repeat("x", 1000))
	write(t, filepath.Join(l.layout.dir, "notes.txt"), "a person's own")
	freed, err := l.Reset(t.Context())
	if err != nil || freed < 1000 {
		t.Errorf("Reset() = %d, %v, want at least the chunk's 1000 bytes", freed, err)
	}
	if _, err := os.Stat(l.layout.data("loki")); !os.IsNotExist(err) {
		t.Errorf("the data is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(l.layout.dir, "notes.txt")); err != nil {
		t.Errorf("Reset deleted what is not the lab's: %v", err)
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
}

func TestRetentionTooShort(t *testing.T) {
	l, _ := testLab(t)
	l.cfg.Retention.Metrics = time.Hour
	if _, _, err := l.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "24h") {
		t.Errorf("Up() = %v, want an error that names 24h", err)
	}
}

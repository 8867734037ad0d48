package cluster

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
)

// quiet returns a machine without problems.
func quiet() host {
	return host{
		readFile: func(string) ([]byte, error) { return []byte("524288\n"), nil },
		listen:   func(string) error { return nil },
		getenv:   func(string) string { return "" }, goos: "linux",
	}
}

func TestPreflight(t *testing.T) {
	for _, test := range []struct {
		name   string
		set    func(*fakeRuntime, *host, *Config)
		want   []string // what each problem names
		likely bool
	}{
		{name: "all is well"},
		{name: "no command", set: func(f *fakeRuntime, _ *host, _ *Config) { f.infoErr = errNoCommand }, want: []string{"There is no docker command"}},
		{name: "no daemon", set: func(f *fakeRuntime, _ *host, _ *Config) { f.infoErr = errors.New("Cannot connect. Is it running?") },
			want: []string{"No container runtime answers at docker's default address: Cannot connect. Is it running."}},
		{name: "daemon's own errors", set: func(f *fakeRuntime, _ *host, _ *Config) { f.info = `{"ServerErrors":["no permission"]}` }, want: []string{"no permission"}},
		{name: "no JSON", set: func(f *fakeRuntime, _ *host, _ *Config) { f.info = `<html>` }, want: []string{"reading `docker info`"}},
		{name: "little memory", set: func(f *fakeRuntime, _ *host, _ *Config) { f.info = `{"MemTotal":2000000000}` }, want: []string{"has 2.0 GB of memory"}, likely: true},
		{name: "Podman", set: func(f *fakeRuntime, _ *host, _ *Config) {
			f.info = `{"host":{"memTotal":16000000000,"os":"linux"},"version":{"APIVersion":"5.4.0","Version":"5.4.0"}}`
		}, want: []string{"is Podman's (podman 5.4.0, 16.0 GB of memory)"}},
		{name: "Windows containers", set: func(f *fakeRuntime, _ *host, _ *Config) { f.info = `{"MemTotal":8000000000,"OSType":"windows"}` }, want: []string{"runs windows containers"}},
		{name: "old cgroups", set: func(f *fakeRuntime, _ *host, c *Config) {
			f.info, c.NodeImage = `{"MemTotal":8000000000,"CgroupVersion":"1"}`, "kindest/node:v1.35.8@sha256:0123"
		}, want: []string{"Kubernetes 1.35 does not start there"}, likely: true},
		{name: "old cgroups, old Kubernetes", set: func(f *fakeRuntime, _ *host, _ *Config) { f.info = `{"MemTotal":8000000000,"CgroupVersion":"1"}` }},
		{name: "inotify", set: func(_ *fakeRuntime, m *host, _ *Config) {
			m.readFile = func(string) ([]byte, error) { return []byte("100\n"), nil }
		}, want: []string{"fs.inotify.max_user_watches is 100", "fs.inotify.max_user_instances is 100; 1 node needs 128"}, likely: true},
		{name: "inotify with workers", set: func(_ *fakeRuntime, m *host, c *Config) {
			c.Workers = 2
			m.readFile = func(name string) ([]byte, error) {
				if strings.HasSuffix(name, "instances") {
					return []byte("128"), nil
				}
				return []byte("1000000"), nil
			}
		}, want: []string{"max_user_instances is 128; 3 nodes need 256"}, likely: true},
		{name: "inotify of a runtime elsewhere", set: func(_ *fakeRuntime, m *host, _ *Config) {
			m.getenv = func(string) string { return "tcp://docker:2375" }
			m.readFile = func(string) ([]byte, error) { return []byte("1"), nil }
			m.listen = func(string) error { return errors.New("taken") }
		}},
		{name: "port of a container", set: func(f *fakeRuntime, _ *host, _ *Config) { f.ps = "web\t0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n" },
			want: []string{"Port 8080 is taken by the container web"}},
		{name: "port of a program", set: func(_ *fakeRuntime, m *host, _ *Config) {
			m.listen = func(address string) error {
				if address == "0.0.0.0:8080" {
					return errors.New("taken")
				}
				return nil
			}
		}, want: []string{"Port 8080 is taken by another program"}},
		{name: "its own ports", set: func(f *fakeRuntime, m *host, _ *Config) {
			f.status[node] = "exited"
			m.listen = func(string) error { return errors.New("taken") }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, m := newFake(), quiet()
			c := f.cluster(t, func(cfg *Config) {
				if test.set != nil {
					test.set(f, &m, cfg)
				}
			})
			problems, err := c.preflight(context.Background(), m)
			if err != nil || len(problems) != len(test.want) {
				t.Fatalf("preflight = %v, %v, want %d problems", problems, err, len(test.want))
			}
			for i, p := range problems {
				if !strings.Contains(p.What, test.want[i]) || p.Likely != test.likely || p.Do == "" {
					t.Errorf("problem %+v, want %q, likely %v", p, test.want[i], test.likely)
				}
			}
		})
	}
}

func TestPublishers(t *testing.T) {
	got := publishers("a\t0.0.0.0:8080->30080/tcp, [::]:8080->30080/tcp, 6443/tcp\nb\t127.0.0.1:9000-9002->9000-9002/udp\nc\t\n")
	want := map[int]string{8080: "a", 9000: "b", 9001: "b", 9002: "b"}
	if !maps.Equal(got, want) {
		t.Errorf("publishers = %v, want %v", got, want)
	}
}

func TestKindConfig(t *testing.T) {
	f := newFake()
	cfg, err := f.cluster(t, func(c *Config) {
		c.Workers, c.Listen, c.Ports = 2, "0.0.0.0", map[int]int{30080: 0}
	}).kindConfig()
	if err != nil {
		t.Fatal(err)
	}
	m := cfg.Nodes[0].ExtraPortMappings[0]
	if cfg.Name != "lab" || len(cfg.Nodes) != 3 || cfg.Nodes[2].Role != "worker" || m.ListenAddress != "0.0.0.0" || m.HostPort != -1 {
		t.Errorf("config %+v", cfg)
	}
	for name, change := range map[string]func(*Config){
		"not a port of it": func(c *Config) { c.Ports = map[int]int{30999: 1} },
		"unknown field":    func(c *Config) { c.Kind = []byte(kindYAML + "nonsense: 1\n") },
		"another version":  func(c *Config) { c.Kind = []byte("kind: Cluster\napiVersion: kind.x-k8s.io/v1\n") },
	} {
		if _, err := f.cluster(t, change).kindConfig(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMinor(t *testing.T) {
	for image, want := range map[string]int{"kindest/node:v1.34.11@sha256:44": 34, "r:5000/kindest/node:v1.37.0": 37, "kindest/node": 0, "kindest/node:main": 0} {
		if got := minor(image); got != want {
			t.Errorf("minor(%q) = %d, want %d", image, got, want)
		}
	}
}

func TestLoggerTellsSteps(t *testing.T) {
	var told []string
	l := logger{func(line string) { told = append(told, line) }}
	l.V(0).Infof(" • %s  ...\n", "Preparing nodes 📦 📦 ")
	l.V(0).Infof(" ✓ %s\n", "Preparing nodes 📦 📦 ")
	l.V(1).Info(" • hidden")
	l.Warn("cgroup v1 is deprecated")
	if len(told) != 1 || told[0] != "cluster: preparing nodes" {
		t.Errorf("told %q", told)
	}
}

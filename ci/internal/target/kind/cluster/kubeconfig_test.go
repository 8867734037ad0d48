package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const adminConf = `apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster: {certificate-authority-data: Q0E=, server: "https://lab-control-plane:6443"}
users:
- {name: admin, user: {client-key-data: S0VZ}}
`

func TestKubeconfig(t *testing.T) {
	f := newFake()
	c := f.cluster(t, nil)
	if _, err := c.Kubeconfig(context.Background(), ""); !errors.Is(err, ErrAbsent) {
		t.Errorf("without a cluster: %v", err)
	}
	f.status[node] = "running"
	f.inNode = func(_ io.Reader, line string) (string, error) {
		if line != "cat /etc/kubernetes/admin.conf" {
			return "", fmt.Errorf("unexpected command %q", line)
		}
		return adminConf, nil
	}
	for given, want := range map[string]string{"": "https://127.0.0.1:43567", "https://localhost:6443": "https://localhost:6443"} {
		raw, err := c.Kubeconfig(context.Background(), given)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Clusters []struct{ Cluster map[string]string }
			Users    []struct{ User map[string]string }
		}
		if err := yaml.Unmarshal(raw, &doc); err != nil || len(doc.Clusters) != 1 || len(doc.Users) != 1 {
			t.Fatalf("%v in\n%s", err, raw)
		}
		got := doc.Clusters[0].Cluster
		if got["server"] != want || got["tls-server-name"] != "localhost" || got["certificate-authority-data"] != "Q0E=" || doc.Users[0].User["client-key-data"] != "S0VZ" {
			t.Errorf("Kubeconfig(%q) =\n%s", given, raw)
		}
	}
	f.published = "\n"
	if _, err := c.Kubeconfig(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "does not publish the API server") {
		t.Errorf("without a port: %v", err)
	}
}

func TestRuntimeHost(t *testing.T) {
	for given, want := range map[string]string{"tcp://docker:2375": "docker", "ssh://me@build.example": "build.example", "tcp://[::1]:2375": "::1"} {
		if got, err := RuntimeHost(given); got != want || err != nil {
			t.Errorf("RuntimeHost(%q) = %q, %v", given, got, err)
		}
	}
	for _, given := range []string{"", "unix:///var/run/docker.sock", "npipe:////./pipe/docker_engine", "docker:2375", "tcp://"} {
		if got, err := RuntimeHost(given); err == nil {
			t.Errorf("RuntimeHost(%q) = %q", given, got)
		}
	}
}

package manifests

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Every Service selects pods in its namespace and names ports that they have, and every
// workload selects its own pods.
func TestSelectors(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for _, s := range l.services {
			selector := labels.SelectorFromSet(s.Spec.Selector)
			var found []workload
			for _, w := range l.workloads {
				if w.meta.Namespace == s.Namespace && selector.Matches(labels.Set(w.template.Labels)) {
					found = append(found, w)
				}
			}
			if len(found) != 1 || len(s.Spec.Selector) == 0 {
				t.Errorf("service %s/%s: finds %d workloads", s.Namespace, s.Name, len(found))
				continue
			}
			for _, p := range s.Spec.Ports {
				if portNamed(found[0].template.Spec.Containers[0], p.TargetPort.StrVal) == 0 {
					t.Errorf("service %s/%s: %s has no port %q", s.Namespace, s.Name, found[0].name(), p.TargetPort.String())
				}
			}
		}
		for _, w := range l.workloads {
			if !labels.SelectorFromSet(w.selector.MatchLabels).Matches(labels.Set(w.template.Labels)) {
				t.Errorf("%s: does not find its own pods", w.name())
			}
			if w.kind == "StatefulSet" && l.service(t, w.meta.Namespace+"/"+w.service).Spec.ClusterIP != corev1.ClusterIPNone {
				t.Errorf("%s: its service %s is not headless", w.name(), w.service)
			}
		}
	})
}

// The package target has the address of each component's Service, and the container listens
// on the port to which the Service sends.
func TestPortsAreTargets(t *testing.T) {
	g, p := target.Cluster(), target.ClusterPorts()
	forEach(t, func(t *testing.T, l *lab) {
		type row struct {
			component string
			name      string
			port      int
		}
		table := []row{
			{target.Frontend, "http", p.Frontend}, {target.Backend, "http", p.Backend}, {target.Grafana, "http", p.Grafana},
			{target.Loki, "http", p.Loki}, {target.Tempo, "http", p.Tempo}, {target.Mimir, "http", p.Mimir},
			{target.Alloy, "http", p.Alloy}, {target.Alloy, "otlp-grpc", p.AlloyOTLPGRPC},
			{target.Alloy, "otlp-http", p.AlloyOTLPHTTP}, {target.Tempo, "otlp-http", p.TempoOTLP},
		}
		if hasWorkload(l, "observability/inspector") {
			table = append(table, row{target.Inspector, "http", p.Inspector})
		}
		for _, test := range table {
			host := strings.TrimPrefix(g.URL(test.component), "http://")
			host, _, _ = strings.Cut(host, ":")
			name, namespace, _ := strings.Cut(host, ".")
			s := l.service(t, namespace+"/"+name)
			if port := servicePort(s, test.name); port != test.port {
				t.Errorf("service %s: %s is port %d, target says %d", host, test.name, port, test.port)
			}
			w := l.workload(t, namespace+"/"+name)
			if port := portNamed(w.template.Spec.Containers[0], test.name); int(port) != test.port {
				t.Errorf("container of %s: %s is port %d, target says %d", host, test.name, port, test.port)
			}
			if base, err := url.Parse(g.URL(test.component)); test.name == "http" && (err != nil || base.Port() != strconv.Itoa(test.port)) {
				t.Errorf("%s is at %s, and its port is %d", test.component, base, test.port)
			}
		}
	})
}

func servicePort(s corev1.Service, name string) int {
	for _, p := range s.Spec.Ports {
		if p.Name == name {
			return int(p.Port)
		}
	}
	return 0
}

// The two NodePorts are those of the package target, and kind.yaml publishes no other.
func TestNodePorts(t *testing.T) {
	want := map[string]int{"app/frontend": target.FrontendNodePort, "observability/grafana": target.GrafanaNodePort}
	for _, s := range buildVariant(t, "kind").services {
		for _, p := range s.Spec.Ports {
			if int(p.NodePort) != want[s.Namespace+"/"+s.Name] {
				t.Errorf("service %s/%s: port %s has the NodePort %d", s.Namespace, s.Name, p.Name, p.NodePort)
			}
		}
	}
	for _, s := range buildVariant(t, "production").services {
		if s.Spec.Type != "" && s.Spec.Type != corev1.ServiceTypeClusterIP {
			t.Errorf("production: service %s/%s is a %s", s.Namespace, s.Name, s.Spec.Type)
		}
	}
	raw, err := os.ReadFile(filepath.Join(checkout, "config", "kubernetes", "kind.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cluster v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(raw, &cluster); err != nil {
		t.Fatal(err)
	}
	published := map[int32]int32{}
	for _, m := range cluster.Nodes[0].ExtraPortMappings {
		published[m.ContainerPort] = m.HostPort
		if m.ListenAddress != "127.0.0.1" {
			t.Errorf("port %d is published to the whole network", m.HostPort)
		}
	}
	wantPublished := map[int32]int32{
		target.FrontendNodePort: target.FrontendHostPort, target.GrafanaNodePort: target.GrafanaHostPort,
	}
	if fmt.Sprint(published) != fmt.Sprint(wantPublished) {
		t.Errorf("kind.yaml publishes %v, target says %v", published, wantPublished)
	}
}

// Every address in a pod's environment belongs to a Service.
func TestEnvironment(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		found := 0
		for _, w := range l.workloads {
			for _, c := range w.template.Spec.Containers {
				for _, e := range c.Env {
					address, ok := strings.CutPrefix(e.Value, "http://")
					if !ok {
						continue
					}
					found++
					host, port, _ := strings.Cut(address, ":")
					name, namespace, ok := strings.Cut(host, ".")
					if !ok {
						namespace = w.meta.Namespace
					}
					s := l.service(t, namespace+"/"+name)
					if !hasPort(s, port) {
						t.Errorf("%s: %s=%s: the service has no such port", w.name(), e.Name, e.Value)
					}
				}
			}
		}
		if found < 6 {
			t.Errorf("only %d addresses found", found)
		}
	})
}

func hasPort(s corev1.Service, port string) bool {
	for _, p := range s.Spec.Ports {
		if strconv.Itoa(int(p.Port)) == port {
			return true
		}
	}
	return false
}

// The telemetry of the services names the pod, and each service uses the protocol that it
// is there to show.
func TestTelemetryOfTheServices(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for name, protocol := range map[string]string{"app/frontend": "http/protobuf", "app/backend": "grpc"} {
			c := l.workload(t, name).template.Spec.Containers[0]
			if have := env(c, "OTEL_EXPORTER_OTLP_PROTOCOL"); have != protocol {
				t.Errorf("%s: protocol %q, want %q", name, have, protocol)
			}
			given := map[string]bool{}
			for _, e := range c.Env {
				if e.Name == "OTEL_RESOURCE_ATTRIBUTES" {
					for attribute := range strings.SplitSeq(e.Value, ",") {
						key, value, _ := strings.Cut(attribute, "=")
						given[key] = true
						// Kubernetes replaces a variable only if it is set earlier in the list.
						if v, ok := strings.CutPrefix(value, "$("); ok && !given["env "+strings.TrimSuffix(v, ")")] {
							t.Errorf("%s: %s is %s, which is not set above", name, key, value)
						}
					}
				}
				given["env "+e.Name] = true
			}
			for _, key := range []string{"service.instance.id", "k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid",
				"k8s.node.name", "k8s.container.name", "deployment.environment.name"} {
				if !given[key] {
					t.Errorf("%s: no resource attribute %s", name, key)
				}
			}
		}
	})
}

// Everyone who may look at Grafana may also explore, on every overlay: without that
// permission a viewer's links from a log line to its trace do not work.
func TestViewersExplore(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		c := l.workload(t, "observability/grafana").template.Spec.Containers[0]
		if have := env(c, "GF_USERS_VIEWERS_CAN_EDIT"); have != "true" {
			t.Errorf("GF_USERS_VIEWERS_CAN_EDIT is %q: viewers have no Explore", have)
		}
	})
}

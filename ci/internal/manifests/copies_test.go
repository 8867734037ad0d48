package manifests

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
)

// hasWorkload tells whether the lab has a workload of that name.
func hasWorkload(l *lab, name string) bool {
	return slices.ContainsFunc(l.workloads, func(w workload) bool { return w.name() == name })
}

// The inspector is there with Inspect only. It receives Alloy's copy, asks Alloy, and answers
// the Jobs; it has no other connection.
func TestInspector(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		alloy := l.workload(t, "observability/alloy")
		copies := env(alloy.template.Spec.Containers[0], "LAB_INSPECTOR_COPY")
		if !hasWorkload(l, "observability/inspector") {
			if strings.HasSuffix(t.Name(), "copies") || copies != "" {
				t.Errorf("there is no inspector, and Alloy makes the copy %q", copies)
			}
			return
		}
		if !strings.HasSuffix(t.Name(), "copies") || copies != "inspector" || env(alloy.template.Spec.Containers[0], "GOGC") == "" {
			t.Errorf("there is an inspector, and Alloy makes the copy %q, with GOGC=%q", copies, env(alloy.template.Spec.Containers[0], "GOGC"))
		}
		peers := map[string]peer{"outside": {address: "203.0.113.7"}, "DNS": {namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}}
		for _, w := range l.pods(t) {
			peers[w.meta.Name] = peer{namespace: w.meta.Namespace, labels: w.template.Labels}
		}
		want := []string{"alloy → inspector:4318", "inspector → alloy:12345", "verify-1 → inspector:4318", "traffic-1 → inspector:4318"}
		var have []string
		f := flows{l.policies}
		for name, p := range peers {
			for _, port := range []int32{53, 80, 443, 3000, 3100, 3200, 4317, 4318, 6443, 8080, 8081, 12345} {
				if f.allowed(peers["inspector"], p, corev1.ProtocolTCP, port) && (name != "DNS" || port != 53) {
					have = append(have, fmt.Sprintf("inspector → %s:%d", name, port))
				}
				if f.allowed(p, peers["inspector"], corev1.ProtocolTCP, port) {
					have = append(have, fmt.Sprintf("%s → inspector:%d", name, port))
				}
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("open are\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Alloy may connect to the port of the other endpoint and to no other, and to its address
// only where the URL has one.
func TestForwardOpensOnePort(t *testing.T) {
	for url, want := range map[string]string{
		"":                                "[]",
		"https://otlp.example.com":        "[203.0.113.7:443 203.0.113.8:443]", // a name can have any address
		"http://otlp.example.com/v1":      "[203.0.113.7:80 203.0.113.8:80 203.0.113.7:443 203.0.113.8:443]",
		"http://203.0.113.8:4318":         "[203.0.113.8:4318 203.0.113.7:443 203.0.113.8:443]",
		"https://otlp.example.com:8443/a": "[203.0.113.7:8443 203.0.113.8:8443 203.0.113.7:443 203.0.113.8:443]",
	} {
		for _, o := range []Options{kindOptions(), productionOptions()} {
			o.Forward.URL = url
			l := build(t, checkout, o)
			alloy := l.workload(t, "observability/alloy")
			f, have := flows{l.policies}, []string{}
			for _, port := range []int32{80, 4317, 4318, 8443, 9999, 443} {
				for _, address := range []string{"203.0.113.7", "203.0.113.8"} {
					if f.allowed(peer{namespace: alloy.meta.Namespace, labels: alloy.template.Labels}, peer{address: address}, corev1.ProtocolTCP, port) {
						have = append(have, fmt.Sprintf("%s:%d", address, port))
					}
				}
			}
			// The API server is at 443 of any address: in TestNetworkPolicies.
			if url == "" {
				want = "[203.0.113.7:443 203.0.113.8:443]"
			}
			if fmt.Sprint(have) != want {
				t.Errorf("%s, %s: open are %v, want %s", o.Overlay, url, have, want)
			}
		}
	}
}

// Alloy knows the headers' names, and finds their values in files, which come from the
// Secret and are nowhere else.
func TestForwardHeaders(t *testing.T) {
	for name, test := range map[string]struct {
		o      Options
		secret map[string]string // nil: the cluster's own
		keys   []string
	}{
		"kind": {withCopies(kindOptions()), map[string]string{"Authorization": `Bearer "hidden"`, "X-Tenant": "hidden'7"},
			[]string{"Authorization", "X-Tenant", "X-Tenant", "X-Tenant"}},
		"production": {withCopies(productionOptions()), nil, []string{"Authorization", "X-Tenant", "X-Tenant", "X-Tenant"}},
		"none": {withURL(productionOptions(), "https://otlp.example.com"), map[string]string{"X-Lab-Forward": "1"},
			[]string{"X-Lab-Forward", "X-Lab-Forward", "X-Lab-Forward", "X-Lab-Forward"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := build(t, checkout, test.o)
			pod := l.workload(t, "observability/alloy").template.Spec
			c := pod.Containers[0]
			if env(c, "LAB_FORWARD_COPY") != "forward" || env(c, "LAB_FORWARD_URL") != test.o.Forward.URL || env(c, "LAB_FORWARD_HEADERS") != strings.Join(test.keys, ",") {
				t.Errorf("Alloy is told %+v", c.Env)
			}
			at := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil })
			if at < 0 || !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == pod.Volumes[at].Name && m.MountPath == "/etc/forward" && m.ReadOnly
			}) {
				t.Fatalf("Alloy's pod has the volumes %+v, mounted %+v", pod.Volumes, c.VolumeMounts)
			}
			source := pod.Volumes[at].Secret
			for i, key := range test.keys {
				if item := source.Items[i]; item.Key != key || item.Path != fmt.Sprint(i) {
					t.Errorf("file %d is %+v, want %s", i, item, key)
				}
			}
			if *source.DefaultMode != 0o440 {
				t.Errorf("the files have the mode %o", *source.DefaultMode)
			}
			secret, made := l.secrets["observability/"+source.SecretName]
			if made != (test.secret != nil) || !made && source.SecretName != forward.Secret {
				t.Fatalf("Secret %s is in the manifests: %v", source.SecretName, made)
			}
			for key, want := range test.secret {
				if have := string(secret.Data[key]); have != want || len(secret.Data) != len(test.secret) {
					t.Errorf("%s is %q, want %q", key, have, want)
				}
			}
			delete(l.secrets, "observability/"+source.SecretName)
			for _, rest := range []any{l.configs, l.secrets, pod} {
				if raw, err := json.Marshal(rest); err != nil || strings.Contains(string(raw), "hidden") {
					t.Errorf("a value is outside of the Secret: %v", err)
				}
			}
		})
	}
}

func withURL(o Options, url string) Options {
	o.Forward.URL = url
	return o
}

// Build refuses an endpoint that a pod cannot reach, and a header that a Secret cannot have.
func TestForwardRefuses(t *testing.T) {
	for says, f := range map[string]forward.Endpoint{
		"localhost is Alloy's own pod": {URL: "http://localhost:4318"},
		"127.0.0.1 is Alloy's own pod": {URL: "http://127.0.0.1:4318"},
		"::1 is Alloy's own pod":       {URL: "http://[::1]:4318"},
		"no port 99999":                {URL: "http://otlp.example.com:99999"},
		"a header called a!b":          {URL: "http://otlp.example.com", Headers: []forward.Header{{Name: "a!b", Value: "hidden"}}},
	} {
		o := kindOptions()
		o.Forward = f
		if _, err := Build(os.DirFS(checkout), o); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

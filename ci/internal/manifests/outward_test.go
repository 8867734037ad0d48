package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// settingsPath is the file of the settings of the overlay [Production], in a checkout.
const settingsPath = "config/kubernetes/overlays/production/settings.env"

// withSettings returns a checkout with other settings of the overlay [Production], each given
// as NAME=VALUE.
func withSettings(t *testing.T, settings ...string) string {
	t.Helper()
	root := copyOf(t)
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(settingsPath)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, setting := range settings {
		name, _, _ := strings.Cut(setting, "=")
		line := regexp.MustCompile(`(?m)^` + name + `=.*$`)
		if !line.MatchString(text) {
			t.Fatalf("%s has no %s", settingsPath, name)
		}
		text = line.ReplaceAllLiteralString(text, setting)
	}
	write(t, root, settingsPath, text)
	return root
}

// Loki, Tempo, Mimir and Grafana reach the servers that the settings name, on the servers' own
// ports, and nothing else outside.
func TestOutwardConnections(t *testing.T) {
	stores := []string{"loki", "tempo", "mimir"}
	const store = "OBJECT_STORE_ENDPOINT=s3.eu-central-1.amazonaws.com"
	for name, test := range map[string]struct {
		settings []string
		want     []string // "pod address port"
	}{
		"as they are":  {nil, nil},
		"object store": {[]string{store}, connections(stores, "203.0.113.7", 443)},
		"Alertmanager": {[]string{store, "ALERTMANAGER_URL=http://alertmanager.example.com:9093"},
			append(connections(stores, "203.0.113.7", 443), "mimir 203.0.113.7 9093")},
		"Alertmanager without a port": {[]string{store, "ALERTMANAGER_URL=http://alertmanager.example.com/prefix"},
			append(connections(stores, "203.0.113.7", 443), "mimir 203.0.113.7 80")},
		"identity provider":    {[]string{"IDENTITY_PROVIDER_URL=https://login.example.com"}, []string{"grafana 203.0.113.7 443"}},
		"database":             {[]string{"DATABASE_ENDPOINT=users.example.com"}, []string{"backend 203.0.113.7 5432"}},
		"database, other port": {[]string{"DATABASE_ENDPOINT=users.example.com:6432"}, []string{"backend 203.0.113.7 6432"}},
		"all by address": {[]string{"DATABASE_ENDPOINT=203.0.113.8", "OBJECT_STORE_ENDPOINT=203.0.113.8:9000", "ALERTMANAGER_URL=http://203.0.113.8:9093", "IDENTITY_PROVIDER_URL=https://203.0.113.8:8443"},
			append(connections(stores, "203.0.113.8", 9000), "mimir 203.0.113.8 9093", "grafana 203.0.113.8 8443", "backend 203.0.113.8 5432")},
		"store in the cluster": {[]string{"OBJECT_STORE_ENDPOINT=minio.minio:9000", "OBJECT_STORE_INSECURE=true"},
			connections(stores, "203.0.113.7", 9000)},
		"store without TLS": {[]string{"OBJECT_STORE_ENDPOINT=store.example.com", "OBJECT_STORE_INSECURE=true"},
			connections(stores, "203.0.113.7", 80)},
	} {
		t.Run(name, func(t *testing.T) {
			l := build(t, withSettings(t, test.settings...), productionOptions())
			var have []string
			f := flows{l.policies}
			for _, w := range l.workloads {
				if w.meta.Name == "alloy" {
					continue // the API server and the kubelets: in TestNetworkPolicies
				}
				pod := peer{namespace: w.meta.Namespace, labels: w.template.Labels}
				for _, address := range []string{"203.0.113.7", "203.0.113.8"} {
					for _, port := range []int32{80, 443, 5432, 6432, 6443, 8080, 8443, 9000, 9093, 9999} {
						if f.allowed(pod, peer{address: address}, corev1.ProtocolTCP, port) {
							have = append(have, fmt.Sprintf("%s %s %d", w.meta.Name, address, port))
						}
					}
				}
			}
			want := test.want
			if !strings.Contains(strings.Join(test.settings, " "), "203.0.113.8") {
				// A name can have any address.
				for _, c := range test.want {
					want = append(want, strings.Replace(c, "203.0.113.7", "203.0.113.8", 1))
				}
			}
			slices.Sort(have)
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("open are\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func connections(pods []string, address string, port int) (all []string) {
	for _, pod := range pods {
		all = append(all, fmt.Sprintf("%s %s %d", pod, address, port))
	}
	return all
}

// With a setting for them, Mimir is told of the Alertmanager, and Grafana takes what it needs
// for logins from its Secret.
func TestOutwardSettingsReachThePods(t *testing.T) {
	l := build(t, withSettings(t, "ALERTMANAGER_URL=http://alertmanager.example.com:9093", "IDENTITY_PROVIDER_URL=https://login.example.com"), productionOptions())
	told := func(l *lab) (alertmanager, secret bool) {
		mimir := l.workload(t, "observability/mimir").template.Spec.Containers[0]
		for _, e := range l.workload(t, "observability/grafana").template.Spec.Containers[0].EnvFrom {
			secret = secret || e.SecretRef != nil && e.SecretRef.Name == "grafana-auth"
		}
		return slices.Contains(mimir.Args, "-ruler.alertmanager-url=$(ALERTMANAGER_URL)") && settingOf(l, mimir, "ALERTMANAGER_URL") == "http://alertmanager.example.com:9093", secret
	}
	if alertmanager, secret := told(l); !alertmanager || !secret {
		t.Errorf("Mimir knows the Alertmanager: %v, Grafana has its Secret: %v", alertmanager, secret)
	}
	if alertmanager, secret := told(buildVariant(t, "production")); alertmanager || secret {
		t.Errorf("without the settings, Mimir knows an Alertmanager: %v, Grafana wants a Secret: %v", alertmanager, secret)
	}
}

// settingOf returns the value of an environment variable of the container, from wherever it
// comes.
func settingOf(l *lab, c corev1.Container, name string) string {
	for _, e := range c.Env {
		switch {
		case e.Name != name:
		case e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil:
			return l.configs["observability/"+e.ValueFrom.ConfigMapKeyRef.Name].Data[e.ValueFrom.ConfigMapKeyRef.Key]
		default:
			return e.Value
		}
	}
	for _, e := range c.EnvFrom {
		if e.ConfigMapRef != nil {
			if value, ok := l.configs["observability/"+e.ConfigMapRef.Name].Data[name]; ok {
				return value
			}
		}
	}
	return ""
}

// Build refuses a server that a policy cannot open, and names the setting.
func TestOutwardRefuses(t *testing.T) {
	for _, setting := range []string{
		"ALERTMANAGER_URL=alertmanager.example.com:9093", "ALERTMANAGER_URL=http://:9093", "IDENTITY_PROVIDER_URL=https://login.example.com:0",
		"IDENTITY_PROVIDER_URL=ldap://login.example.com", "OBJECT_STORE_ENDPOINT=https://s3.example.com", "OBJECT_STORE_ENDPOINT=s3.example.com:99999",
		"DATABASE_ENDPOINT=postgres://users.example.com", "DATABASE_ENDPOINT=users.example.com:0", "DATABASE_ENDPOINT=user@users.example.com", "DATABASE_ENDPOINT=:5432",
	} {
		name, _, _ := strings.Cut(setting, "=")
		if _, err := Build(os.DirFS(withSettings(t, setting)), productionOptions()); err == nil || !strings.Contains(err.Error(), "settings.env: "+name) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

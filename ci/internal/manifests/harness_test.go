package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
)

const checkout = "../../.."

// variants are the options of every form in which the lab is deployed.
var variants = map[string]Options{
	"kind":                     kindOptions(),
	"kind with metrics-server": withMetricsServer(kindOptions()),
	"kind with copies":         withCopies(kindOptions()),
	"production":               productionOptions(),
	"production, small":        sized(productionOptions(), Small),
	"production, large":        sized(onObjectStore(productionOptions()), Large),
	"production with copies":   withCopies(productionOptions()),
	"production on PostgreSQL": onPostgreSQL(productionOptions()),
}

func kindOptions() Options {
	return Options{
		Overlay: Kind, AdminPassword: `"a'b=c"`, Faults: true, GrafanaURL: "http://localhost:3000",
		Images: map[string]string{
			"loki": "grafana/loki:3.7.7", "tempo": "grafana/tempo:2.9.0", "mimir": "grafana/mimir:3.2.1",
			"alloy": "grafana/alloy:v1.19.2", "grafana": "grafana/grafana:13.1.3",
			"frontend": "lgtm-lab/frontend:sha256-0123456789ab", "backend": "lgtm-lab/backend:sha256-ba9876543210",
			"lab": "lgtm-lab/lab:sha256-000000000000", "metrics-server": "registry.k8s.io/metrics-server/metrics-server:v0.8.1",
		},
	}
}

func withMetricsServer(o Options) Options {
	o.MetricsServer = true
	return o
}

// withCopies adds the inspector and another endpoint. In production a Secret of the
// cluster has the headers' values.
func withCopies(o Options) Options {
	o.Inspect = true
	o.Forward = forward.Endpoint{URL: "https://otlp.example.com:8443/otlp", Headers: []forward.Header{
		{Name: "Authorization", Value: `Bearer "hidden"`}, {Name: "X-Tenant", Value: "hidden'7"},
	}}
	if o.Overlay == Production {
		o.Forward.Headers = []forward.Header{{Name: "Authorization"}, {Name: "X-Tenant"}}
	}
	return o
}

func sized(o Options, size string) Options {
	o.Size = size
	return o
}

func onObjectStore(o Options) Options {
	o.Settings = map[string]string{"OBJECT_STORE_ENDPOINT": "s3.eu-central-1.amazonaws.com", "STORAGE_CLASS": "fast", "GRAFANA_URL": "https://grafana.example.com"}
	return o
}

func onPostgreSQL(o Options) Options {
	o.Settings = map[string]string{"DATABASE_ENDPOINT": "users.example.com", "STORAGE_CLASS": "fast"}
	return o
}

func productionOptions() Options {
	o := kindOptions()
	o.Overlay, o.Faults, o.AdminPassword, o.GrafanaURL = Production, false, "", ""
	images := map[string]string{}
	for name, ref := range o.Images {
		images[name] = ref + "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	}
	o.Images = images
	return o
}

// A lab is a deployment's objects by their type.
type lab struct {
	namespaces []corev1.Namespace
	workloads  []workload
	services   []corev1.Service
	configs    map[string]corev1.ConfigMap // by namespace/name
	secrets    map[string]corev1.Secret
	claims     []corev1.PersistentVolumeClaim
	accounts   map[string]corev1.ServiceAccount
	policies   []networkingv1.NetworkPolicy
	budgets    []policyv1.PodDisruptionBudget
	roles      []rbacv1.ClusterRole
	bindings   []rbacv1.ClusterRoleBinding
}

// A workload is a Deployment or a StatefulSet.
type workload struct {
	kind     string
	meta     metav1.ObjectMeta
	replicas int32
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
	service  string // of a StatefulSet
	surge    int32  // how many pods a rollout adds
}

func (w workload) name() string { return w.meta.Namespace + "/" + w.meta.Name }

// containers returns the pod's containers, and before them those that run first.
func (w workload) containers() []corev1.Container {
	return slices.Concat(w.template.Spec.InitContainers, w.template.Spec.Containers)
}

// apiService has the fields of the one kind whose type is in another module.
type apiService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Group                 string `json:"group"`
		Version               string `json:"version"`
		GroupPriorityMinimum  int32  `json:"groupPriorityMinimum"`
		VersionPriority       int32  `json:"versionPriority"`
		InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
		Service               struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"service"`
	} `json:"spec"`
}

// build returns the objects of the checkout with the options o, decoded strictly.
func build(t *testing.T, root string, o Options) *lab {
	t.Helper()
	raw, err := Build(os.DirFS(root), o)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{configs: map[string]corev1.ConfigMap{}, secrets: map[string]corev1.Secret{}, accounts: map[string]corev1.ServiceAccount{}}
	for _, doc := range documents(t, raw) {
		l.add(t, doc)
	}
	return l
}

var built = map[string]*lab{}

// buildVariant builds one of the variants, once for all tests. No test changes the result.
// Tests of this package do not run in parallel.
func buildVariant(t *testing.T, name string) *lab {
	t.Helper()
	if built[name] == nil {
		built[name] = build(t, checkout, variants[name])
	}
	return built[name]
}

func documents(t *testing.T, raw []byte) [][]byte {
	t.Helper()
	var docs [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(doc)) > 0 {
			docs = append(docs, doc)
		}
	}
}

// decode fails on an unknown field, and on a field that is given twice.
func decode[T any](t *testing.T, doc []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(doc, &object); err != nil {
		t.Errorf("%v in:\n%s", err, doc)
	}
	return object
}

func (l *lab) add(t *testing.T, doc []byte) {
	t.Helper()
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &head); err != nil {
		t.Fatal(err)
	}
	switch id := head.APIVersion + " " + head.Kind; id {
	case "v1 Namespace":
		l.namespaces = append(l.namespaces, decode[corev1.Namespace](t, doc))
	case "v1 Service":
		l.services = append(l.services, decode[corev1.Service](t, doc))
	case "v1 ConfigMap":
		o := decode[corev1.ConfigMap](t, doc)
		l.configs[o.Namespace+"/"+o.Name] = o
	case "v1 Secret":
		o := decode[corev1.Secret](t, doc)
		l.secrets[o.Namespace+"/"+o.Name] = o
	case "v1 ServiceAccount":
		o := decode[corev1.ServiceAccount](t, doc)
		l.accounts[o.Namespace+"/"+o.Name] = o
	case "v1 PersistentVolumeClaim":
		l.claims = append(l.claims, decode[corev1.PersistentVolumeClaim](t, doc))
	case "apps/v1 Deployment":
		o := decode[appsv1.Deployment](t, doc)
		w := workload{kind: head.Kind, meta: o.ObjectMeta, replicas: *o.Spec.Replicas, selector: o.Spec.Selector, template: o.Spec.Template}
		if r := o.Spec.Strategy.RollingUpdate; r != nil && r.MaxSurge != nil {
			w.surge = r.MaxSurge.IntVal
		}
		l.workloads = append(l.workloads, w)
	case "apps/v1 StatefulSet":
		o := decode[appsv1.StatefulSet](t, doc)
		l.workloads = append(l.workloads, workload{kind: head.Kind, meta: o.ObjectMeta, replicas: *o.Spec.Replicas,
			selector: o.Spec.Selector, template: o.Spec.Template, claims: o.Spec.VolumeClaimTemplates, service: o.Spec.ServiceName})
	case "networking.k8s.io/v1 NetworkPolicy":
		l.policies = append(l.policies, decode[networkingv1.NetworkPolicy](t, doc))
	case "policy/v1 PodDisruptionBudget":
		l.budgets = append(l.budgets, decode[policyv1.PodDisruptionBudget](t, doc))
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		l.roles = append(l.roles, decode[rbacv1.ClusterRole](t, doc))
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		l.bindings = append(l.bindings, decode[rbacv1.ClusterRoleBinding](t, doc))
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		decode[rbacv1.RoleBinding](t, doc)
	case "apiregistration.k8s.io/v1 APIService":
		decode[apiService](t, doc)
	default:
		t.Errorf("no test knows the kind %q", id)
	}
}

// workload returns the named workload.
func (l *lab) workload(t *testing.T, name string) workload {
	t.Helper()
	for _, w := range l.workloads {
		if w.name() == name {
			return w
		}
	}
	t.Fatalf("no workload %s", name)
	return workload{}
}

func (l *lab) service(t *testing.T, name string) corev1.Service {
	t.Helper()
	for _, s := range l.services {
		if s.Namespace+"/"+s.Name == name {
			return s
		}
	}
	t.Fatalf("no service %s", name)
	return corev1.Service{}
}

// pods returns every pod template of the lab, those of the Jobs included.
func (l *lab) pods(t *testing.T) []workload {
	t.Helper()
	all := append([]workload{}, l.workloads...)
	for _, kind := range []string{"traffic", "verify"} {
		job := jobOf(t, kind, JobOptions{ID: "1", Image: "lgtm-lab/lab:1", Args: []string{kind}})
		all = append(all, workload{kind: "Job", meta: job.ObjectMeta, replicas: 1, template: job.Spec.Template})
	}
	return all
}

func jobOf(t *testing.T, kind string, o JobOptions) batchv1.Job {
	t.Helper()
	raw, err := Job(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	return decode[batchv1.Job](t, raw)
}

// copyOf returns a checkout that a test may change.
func copyOf(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"config", "dashboards"} {
		err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join(checkout, dir)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return root
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	full := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func forEach(t *testing.T, check func(t *testing.T, l *lab)) {
	t.Helper()
	for name := range variants {
		t.Run(name, func(t *testing.T) { check(t, buildVariant(t, name)) })
	}
}

package manifests

import (
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// Each size asks for more than the one before, of memory and of volumes; medium is what a
// caller gets that names none.
func TestSizesGrow(t *testing.T) {
	var before, beforeVolumes int64
	for _, size := range Sizes() {
		l := build(t, checkout, sized(productionOptions(), size))
		var memory, volumes int64
		for _, w := range l.workloads {
			for _, c := range w.containers() {
				memory += int64(w.replicas) * c.Resources.Requests.Memory().Value()
			}
			for _, c := range w.claims {
				volumes += c.Spec.Resources.Requests.Storage().Value()
			}
		}
		for _, c := range l.claims {
			volumes += c.Spec.Resources.Requests.Storage().Value()
		}
		if memory <= before || volumes <= beforeVolumes {
			t.Errorf("%s asks for %d MiB and has volumes of %d GiB; the size before %d and %d", size, memory>>20, volumes>>30, before>>20, beforeVolumes>>30)
		}
		before, beforeVolumes = memory, volumes
		if size == Small && memory > 12<<30 {
			t.Errorf("small asks for %d MiB", memory>>20)
		}
	}
	usual, err := Build(os.DirFS(checkout), productionOptions())
	if err != nil {
		t.Fatal(err)
	}
	medium, err := Build(os.DirFS(checkout), sized(productionOptions(), Medium))
	if err != nil || string(usual) != string(medium) {
		t.Errorf("without a size it is not medium: %v", err)
	}
}

// With an object store the three backends write to it, and without one to their volumes.
func TestObjectStoreIsASetting(t *testing.T) {
	for variant, want := range map[string]bool{"production": false, "production, large": true} {
		l := buildVariant(t, variant)
		for name, setting := range map[string]string{"loki": "LOKI_OBJECT_STORE", "tempo": "TEMPO_OBJECT_STORE"} {
			if have := env(l.workload(t, "observability/"+name).template.Spec.Containers[0], setting) == "s3"; have != want {
				t.Errorf("%s: %s in the object store: %v, want %v", variant, name, have, want)
			}
		}
		mimir := l.workload(t, "observability/mimir").template.Spec.Containers[0]
		if have := slices.Contains(mimir.Args, "-blocks-storage.backend=s3"); have != want {
			t.Errorf("%s: Mimir in the object store: %v, want %v", variant, have, want)
		}
	}
}

// With a database the backends keep nothing: there are two, which end one after another, and
// neither a volume nor a file. Without one the backend is as the base has it.
func TestDatabaseIsASetting(t *testing.T) {
	for variant, want := range map[string]bool{"production": false, "production on PostgreSQL": true} {
		l := buildVariant(t, variant)
		w := l.workload(t, "app/backend")
		c := w.template.Spec.Containers[0]
		fromSecret := slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			return e.Name == "DATABASE_URL" && e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == "database"
		})
		claim := slices.ContainsFunc(w.template.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
		budget := slices.ContainsFunc(l.budgets, func(b policyv1.PodDisruptionBudget) bool { return b.Name == "backend" })
		several := w.replicas == 2 && w.surge == 1 && env(c, "SHUTDOWN_DELAY") == "5s"
		if fromSecret != want || claim == want || budget != want || several != want || (env(c, "DATABASE_PATH") == "") != want || (len(l.claims) == 0) != want {
			t.Errorf("%s: the URL from a Secret %v, a claim %v, a budget %v, two pods %v, a file %q, %d claims", variant, fromSecret, claim, budget, several, env(c, "DATABASE_PATH"), len(l.claims))
		}
	}
}

// Options.Settings are as good as the file, and the volumes have the class that they name.
func TestSettingsOfProduction(t *testing.T) {
	l := buildVariant(t, "production, large")
	claims := slices.Clone(l.claims)
	for _, w := range l.workloads {
		claims = append(claims, w.claims...)
	}
	for _, c := range claims {
		if c.Spec.StorageClassName == nil || *c.Spec.StorageClassName != "fast" {
			t.Errorf("claim %s has the class %v", c.Name, c.Spec.StorageClassName)
		}
	}
	if len(claims) != 5 {
		t.Errorf("%d claims", len(claims))
	}
	for name, c := range l.configs {
		if strings.HasPrefix(name, "app/services-") && !strings.HasPrefix(c.Data["LAB_TRACE_URL"], "https://grafana.example.com/explore?") {
			t.Errorf("the page's links to traces are %q", c.Data["LAB_TRACE_URL"])
		}
	}
	for _, c := range buildVariant(t, "production").claims {
		if c.Spec.StorageClassName != nil {
			t.Errorf("without the setting, claim %s has the class %s", c.Name, *c.Spec.StorageClassName)
		}
	}
	o := productionOptions()
	o.Settings = map[string]string{"OBJECT_STORE_ENDPONT": "x"}
	if _, err := Build(os.DirFS(checkout), o); err == nil || !strings.Contains(err.Error(), "no setting OBJECT_STORE_ENDPONT") {
		t.Errorf("a misspelled setting: %v", err)
	}
	if _, err := ReadSettings("A=b\nnonsense\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a line without a value: %v", err)
	}
}

// The lab's tools begin traces of their own: only with TrustCallers does the frontend of a
// cluster of one's own go on with them.
func TestTrustCallers(t *testing.T) {
	for trust, want := range map[bool]string{false: "true", true: "false"} {
		o := productionOptions()
		o.TrustCallers = trust
		for name, c := range build(t, checkout, o).configs {
			if strings.HasPrefix(name, "app/services-") && c.Data["PUBLIC_ENDPOINT"] != want {
				t.Errorf("TrustCallers %v: PUBLIC_ENDPOINT is %q", trust, c.Data["PUBLIC_ENDPOINT"])
			}
		}
	}
}

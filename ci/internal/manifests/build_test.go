package manifests

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
)

// Every image in the manifests is one of Options.Images.
func TestImages(t *testing.T) {
	for name, o := range variants {
		t.Run(name, func(t *testing.T) {
			given := map[string]bool{}
			for _, ref := range o.Images {
				given[ref] = true
			}
			for _, w := range buildVariant(t, name).workloads {
				for _, c := range w.containers() {
					if !given[c.Image] {
						t.Errorf("%s: image %s is not among those given", w.name(), c.Image)
					}
					want := "IfNotPresent"
					if o.Overlay == Kind && w.meta.Namespace != "kube-system" {
						want = "Never"
					}
					if string(c.ImagePullPolicy) != want {
						t.Errorf("%s: the image is pulled %s, want %s", w.name(), c.ImagePullPolicy, want)
					}
				}
			}
		})
	}
}

func TestVersionLabel(t *testing.T) {
	l := buildVariant(t, "production")
	if have := l.workload(t, "observability/alloy").template.Labels[versionLabel]; have != "v1.19.2" {
		t.Errorf("alloy: version %q", have)
	}
}

// Build refuses options that cannot be deployed, with an error that names the reason.
func TestBuildRefuses(t *testing.T) {
	change := func(o Options, f func(*Options)) Options {
		images := map[string]string{}
		maps.Copy(images, o.Images)
		o.Images = images
		f(&o)
		return o
	}
	for name, test := range map[string]struct {
		o    Options
		want []string
	}{
		"overlay":   {change(kindOptions(), func(o *Options) { o.Overlay = "staging" }), []string{`unknown overlay "staging"`}},
		"password":  {change(kindOptions(), func(o *Options) { o.AdminPassword = "" }), []string{"no password"}},
		"retention": {change(kindOptions(), func(o *Options) { o.Retention.Logs = time.Hour }), []string{"retention of logs of 1h0m0s"}},
		"missing": {change(kindOptions(), func(o *Options) { delete(o.Images, "loki"); delete(o.Images, "backend") }),
			[]string{`no image "loki"`, `no image "backend"`}},
		"malformed":                {change(kindOptions(), func(o *Options) { o.Images["loki"] = "a b" }), []string{`image "loki"`}},
		"no tag":                   {change(kindOptions(), func(o *Options) { o.Images["loki"] = "localhost:5000/loki" }), []string{`image "loki"`, "no tag"}},
		"digest on kind":           {change(kindOptions(), func(o *Options) { o.Images = productionOptions().Images }), []string{"has a digest"}},
		"no digest in production":  {change(productionOptions(), func(o *Options) { o.Images = kindOptions().Images }), []string{"not pinned"}},
		"size":                     {sized(productionOptions(), "huge"), []string{`size "huge"`, "small, medium, large"}},
		"size on kind":             {sized(kindOptions(), Small), []string{`size "small"`}},
		"metrics-server on theirs": {withMetricsServer(productionOptions()), []string{"metrics-server"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(os.DirFS(checkout), test.o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	if _, err := Build(os.DirFS(t.TempDir()), kindOptions()); err == nil || !strings.Contains(err.Error(), "a checkout of the lab?") {
		t.Errorf("a folder that is not a checkout: %v", err)
	}
}

// The lock has every image name that the manifests use.
func TestLockHasTheImages(t *testing.T) {
	lock, err := images.Load(filepath.Join(checkout, "config", "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	o := productionOptions()
	for _, name := range []string{images.Loki, images.Tempo, images.Mimir, images.Alloy, images.Grafana, images.MetricsServer} {
		image, err := lock.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		o.Images[name] = image.Reference()
	}
	build(t, checkout, o)
}

func TestSettings(t *testing.T) {
	o := kindOptions()
	o.Retention.Traces = 72 * time.Hour
	o.Sampling = sampling.Traces{Percent: 2.5, Slow: time.Second, Wait: sampling.UsualWait}
	o.GrafanaURL = "http://localhost:3333/"
	l := build(t, checkout, o)
	for _, c := range l.configs {
		switch {
		case strings.HasPrefix(c.Name, "stack-"):
			if diff := cmp.Diff(map[string]string{"LAB_RETENTION_LOGS": "24h", "LAB_RETENTION_TRACES": "72h", "LAB_RETENTION_METRICS": "24h", "LAB_RETENTION_AUDIT": "8760h",
				"LAB_SAMPLING": "tail", "LAB_SAMPLE_PERCENT": "2.5", "LAB_SAMPLE_SLOW_MS": "1000", "LAB_SAMPLE_WAIT": "10s", "LAB_TEMPO_PROCESSORS": "[local-blocks]",
				"GRAFANA_URL": "http://localhost:3333"}, c.Data); diff != "" {
				t.Error(diff)
			}
		case strings.HasPrefix(c.Name, "services-"):
			if c.Data["LAB_FAULTS"] != "true" || c.Data["LAB_ENVIRONMENT"] != "kind" ||
				!strings.HasPrefix(c.Data["LAB_TRACE_URL"], "http://localhost:3333/explore?") || !strings.Contains(c.Data["LAB_TRACE_URL"], "{trace_id}") {
				t.Errorf("%v", c.Data)
			}
		}
	}
	for _, s := range l.secrets {
		if have := string(s.Data["password"]); have != o.AdminPassword {
			t.Errorf("the password is %q, want %q", have, o.AdminPassword)
		}
	}
	if len(l.secrets) != 1 {
		t.Errorf("%d secrets", len(l.secrets))
	}
}

// An edit of a configuration file renames its ConfigMap and changes the one workload that
// reads the file; everything else stays byte for byte.
func TestConfigurationRollsItsReader(t *testing.T) {
	root := copyOf(t)
	templates := func() map[string]string {
		found := map[string]string{}
		for _, w := range build(t, root, kindOptions()).workloads {
			raw, err := json.Marshal(w.template)
			if err != nil {
				t.Fatal(err)
			}
			found[w.name()] = string(raw)
		}
		return found
	}
	before := templates()
	for file, reader := range map[string]string{
		"loki/loki.yaml": "observability/loki", "tempo/tempo.yaml": "observability/tempo", "mimir/mimir.yaml": "observability/mimir",
		"mimir/rules/losses.yaml": "observability/mimir", "mimir/rules/sample_services.yaml": "observability/mimir", "mimir/rules/service.yaml": "observability/mimir", "mimir/rules/stack.yaml": "observability/mimir",
		"alloy/config.alloy": "observability/alloy", "alloy/kubernetes.alloy": "observability/alloy",
		"alloy/copy/off.alloy": "observability/alloy", "alloy/copy/inspector.alloy": "observability/alloy",
		"grafana/provisioning/datasources/lab.yaml": "observability/grafana",
	} {
		name := filepath.Join(root, "config", filepath.FromSlash(file))
		original, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(bytes.Clone(original), "\n# edited\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
		for workload, template := range templates() {
			if changed := template != before[workload]; changed != (workload == reader) {
				t.Errorf("after an edit of %s, %s changed: %v", file, workload, changed)
			}
		}
		if err := os.WriteFile(name, original, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The ConfigMaps have the unchanged files.
func TestConfigurationIsTheFiles(t *testing.T) {
	l := build(t, checkout, kindOptions())
	for _, c := range l.configs {
		base, _, _ := strings.Cut(c.Name, "-")
		for key, content := range c.Data {
			if base == "stack" || base == "services" {
				continue
			}
			folder := filepath.Join(checkout, "config", base)
			if strings.HasPrefix(c.Name, "mimir-rules-") {
				folder = filepath.Join(folder, "rules")
			}
			if base == "grafana" {
				folder = filepath.Join(checkout, "config", "grafana", "provisioning", "datasources")
				if !strings.HasPrefix(c.Name, "grafana-datasources-") {
					continue // in TestDashboards
				}
			}
			file := key
			if module, name, ok := strings.Cut(key, "-"); ok && base == "alloy" {
				file = filepath.Join(module, name) // a key has no slash
			}
			want, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(string(want), content); diff != "" {
				t.Errorf("%s: %s", c.Name, diff)
			}
		}
	}
}

// Mimir's pod has exactly the rule files, in the folder of Mimir's tenant.
func TestRules(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(checkout, "config", "mimir", "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	want := map[string]bool{}
	for _, file := range files {
		want[filepath.Base(file)] = true
	}
	config, err := os.ReadFile(filepath.Join(checkout, "config", "mimir", "mimir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	forEach(t, func(t *testing.T, l *lab) {
		pod := l.workload(t, "observability/mimir").template.Spec
		have := map[string]bool{}
		for _, v := range pod.Volumes {
			if v.Name == "rules" {
				for key := range l.configs["observability/"+v.ConfigMap.Name].Data {
					have[key] = true
				}
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("the rule files in the pod; list them in config/kubernetes/base/kustomization.yaml (-want +have):\n%s", diff)
		}
		c := pod.Containers[0]
		for _, m := range c.VolumeMounts {
			if folder, tenant := path.Split(m.MountPath); m.Name == "rules" &&
				(tenant != "anonymous" || !bytes.Contains(config, []byte("${LAB_RULES:"+path.Clean(folder)+"}"))) {
				t.Errorf("the rules are in %s, where config/mimir/mimir.yaml does not look", m.MountPath)
			}
		}
		for _, arg := range c.Args {
			if strings.HasPrefix(arg, "-ruler-storage.") {
				t.Errorf("%s: the rules come from somewhere else", arg)
			}
		}
	})
}

// The manifests have the dashboards and provisioning files that the checkout has.
func TestDashboards(t *testing.T) {
	root := copyOf(t)
	for _, dir := range []string{"dashboards", "config/grafana/provisioning/dashboards"} {
		if err := os.RemoveAll(filepath.Join(root, filepath.FromSlash(dir))); err != nil {
			t.Fatal(err)
		}
	}
	grafanaMaps := func() map[string]int {
		found := map[string]int{}
		for _, v := range build(t, root, kindOptions()).workload(t, "observability/grafana").template.Spec.Volumes {
			if v.ConfigMap != nil && v.Name == "providers" {
				found[v.ConfigMap.Name]++
			}
			if v.Projected != nil {
				for _, s := range v.Projected.Sources {
					found[s.ConfigMap.Name]++
				}
			}
		}
		return found
	}
	// The reference to an optional ConfigMap that is missing keeps its plain name.
	if have := grafanaMaps(); have["grafana-dashboard-providers"] != 1 || have["grafana-dashboards-1"] != 1 {
		t.Errorf("without dashboards, Grafana's pod mounts %v", have)
	}
	write(t, root, "config/grafana/provisioning/dashboards/lab.yaml", "apiVersion: 1\n")
	write(t, root, "dashboards/overview.json", `{"uid": "overview"}`)
	write(t, root, "dashboards/z.json", `{"uid": "z", "text": "`+strings.Repeat("x", maxConfigMap-30)+`"}`)
	write(t, root, "dashboards/main.go", "package main\n")
	have := grafanaMaps()
	if have["grafana-dashboard-providers"] != 0 || have["grafana-dashboards-1"] != 0 || have["grafana-dashboards-2"] != 0 || have["grafana-dashboards-3"] != 1 {
		t.Errorf("with dashboards, Grafana's pod mounts %v", have)
	}
	keys := map[string]bool{}
	for _, c := range build(t, root, kindOptions()).configs {
		if strings.HasPrefix(c.Name, "grafana-dashboard") {
			for key := range c.Data {
				keys[key] = true
			}
		}
	}
	if diff := cmp.Diff(map[string]bool{"lab.yaml": true, "overview.json": true, "z.json": true}, keys); diff != "" {
		t.Error(diff)
	}
	write(t, root, "dashboards/large.json", strings.Repeat("x", maxConfigMap+1))
	if _, err := Build(os.DirFS(root), kindOptions()); err == nil || !strings.Contains(err.Error(), "dashboards/large.json") {
		t.Errorf("a dashboard that is too large: %v", err)
	}
}

// The same input gives the same bytes.
func TestBuildIsReproducible(t *testing.T) {
	first, err := Build(os.DirFS(checkout), withMetricsServer(kindOptions()))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Build(os.DirFS(copyOf(t)), withMetricsServer(kindOptions()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two builds of the same files differ")
	}
}

func TestJob(t *testing.T) {
	job := jobOf(t, "verify", JobOptions{ID: "7", Image: "lgtm-lab/lab:1", Args: []string{"verify", "-o", "json"},
		Env: map[string]string{"B": "2", "A": "1"}, Timeout: 90 * time.Second, TTL: time.Minute})
	if job.Name != "verify-7" || job.Namespace != "observability" || *job.Spec.BackoffLimit != 0 ||
		*job.Spec.ActiveDeadlineSeconds != 90 || *job.Spec.TTLSecondsAfterFinished != 60 {
		t.Errorf("%+v", job)
	}
	c := job.Spec.Template.Spec.Containers[0]
	if diff := cmp.Diff([]string{"verify", "-o", "json"}, c.Args); diff != "" {
		t.Error(diff)
	}
	if env(c, "A") != "1" || env(c, "B") != "2" {
		t.Errorf("%v", c.Env)
	}
	if job.Spec.Template.Labels[componentLabel] != jobComponent {
		t.Error("the network policies would not know it")
	}
	if name := jobOf(t, "traffic", JobOptions{Image: "x"}).Name; name != "traffic" {
		t.Errorf("without an ID the job's name is %s", name)
	}
	for name, o := range map[string]JobOptions{"no image": {}, "bad id": {Image: "x", ID: "A b"}} {
		if _, err := Job("verify", o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

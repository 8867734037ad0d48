package manifests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Every pod passes the strictest standard, by the evaluator that the API server
// itself uses, and both namespaces enforce it.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.pods(t) {
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &w.template.ObjectMeta, &w.template.Spec))
			if !result.Allowed {
				t.Errorf("%s %s: %s", w.kind, w.name(), result.ForbiddenDetail())
			}
			for _, c := range w.containers() {
				if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
					t.Errorf("%s %s: container %s can write to its image", w.kind, w.name(), c.Name)
				}
			}
			if w.template.Spec.SecurityContext.RunAsUser == nil {
				t.Errorf("%s %s: the image decides as which user it runs", w.kind, w.name())
			}
		}
		enforced := map[string]bool{}
		for _, n := range l.namespaces {
			enforced[n.Name] = n.Labels[podsecurity.EnforceLevelLabel] == "restricted"
		}
		for _, name := range []string{target.NamespaceApp, target.NamespaceObservability} {
			if !enforced[name] {
				t.Errorf("namespace %s does not enforce restricted", name)
			}
		}
	})
}

// Pods that do not ask the API server have no token for it.
func TestTokens(t *testing.T) {
	tokens := map[string]bool{"observability/alloy": true, "kube-system/metrics-server": true}
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.pods(t) {
			spec := w.template.Spec
			account, ok := l.accounts[w.meta.Namespace+"/"+spec.ServiceAccountName]
			if !ok {
				t.Errorf("%s: no service account %q", w.name(), spec.ServiceAccountName)
			}
			if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
				t.Errorf("service account %s/%s gives its token to every pod", account.Namespace, account.Name)
			}
			if has := spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken; has != tokens[w.name()] {
				t.Errorf("%s: token mounted: %v, want %v", w.name(), has, tokens[w.name()])
			}
			if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
				t.Errorf("%s: the environment is filled with the addresses of Services", w.name())
			}
		}
	})
}

func TestLabels(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.workloads {
			for _, have := range []map[string]string{w.meta.Labels, w.template.Labels} {
				for _, key := range []string{"app.kubernetes.io/name", componentLabel, "app.kubernetes.io/part-of", versionLabel} {
					if have[key] == "" {
						t.Errorf("%s: no label %s in %v", w.name(), key, have)
					}
				}
			}
			if have := w.template.Labels["app.kubernetes.io/name"]; have != w.meta.Name {
				t.Errorf("%s: its pods are named %s", w.name(), have)
			}
			if w.meta.Labels["app.kubernetes.io/managed-by"] != "lgtm-lab" {
				t.Errorf("%s: nothing says that it is the lab's", w.name())
			}
			// A deletion by this label must not find objects that controllers made.
			if _, ok := w.template.Labels["app.kubernetes.io/managed-by"]; ok {
				t.Errorf("%s: its pods have the label of applied objects", w.name())
			}
			for _, c := range w.claims {
				if _, ok := c.Labels["app.kubernetes.io/managed-by"]; ok {
					t.Errorf("%s: its volumes have the label of applied objects", w.name())
				}
			}
		}
	})
}

// Every container has a startup, a readiness and a liveness probe, at a port that it has.
// The probes use HTTP, because most images have no shell to run a command with.
func TestProbes(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.workloads {
			for _, c := range w.template.Spec.Containers {
				for what, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
					switch {
					case p == nil || p.HTTPGet == nil:
						t.Errorf("%s: no %s probe by HTTP", w.name(), what)
					case portNamed(c, p.HTTPGet.Port.StrVal) == 0:
						t.Errorf("%s: the %s probe asks port %q, which the container has not", w.name(), what, p.HTTPGet.Port.String())
					}
				}
				// A slow start is not killed: it may take at least a minute.
				if p := c.StartupProbe; p != nil && p.PeriodSeconds*p.FailureThreshold < 60 {
					t.Errorf("%s: has only %d s to start", w.name(), p.PeriodSeconds*p.FailureThreshold)
				}
			}
		}
	})
}

// The lab fits on a node of 4 GB: the sum of all limits, with the pod that a rollout adds
// and a Job, and the sum of all requests.
func TestMemory(t *testing.T) {
	const gib = 1 << 30
	for _, name := range []string{"kind", "kind with metrics-server", "kind with copies", "production, small"} {
		t.Run(name, func(t *testing.T) {
			l := buildVariant(t, name)
			var limits, requests, cpu int64
			for _, w := range l.pods(t) {
				n := int64(w.replicas + w.surge)
				if w.kind == "Job" && w.meta.Labels["app.kubernetes.io/name"] != "verify" {
					continue // one at a time
				}
				for _, c := range w.template.Spec.Containers {
					limits += n * c.Resources.Limits.Memory().Value()
					requests += n * c.Resources.Requests.Memory().Value()
					cpu += n * c.Resources.Requests.Cpu().MilliValue()
				}
			}
			// Pods do not all reach their limit at once: a busy lab's node takes 2 GiB.
			max := int64(4 * gib)
			if variants[name].MetricsServer {
				max += 128 << 20
			}
			if variants[name].Inspect {
				max += 256 << 20
			}
			if limits > max {
				t.Errorf("the limits add up to %d MiB", limits>>20)
			}
			if requests > 2*gib {
				t.Errorf("the requests add up to %d MiB", requests>>20)
			}
			// Two cores, of which Kind's own pods ask for 950m.
			if cpu > 1050 {
				t.Errorf("the requests add up to %dm of CPU", cpu)
			}
		})
	}
}

// GOMEMLIMIT is a little below the container's limit, so that a Go program collects garbage
// before the kernel kills it.
func TestResources(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.pods(t) {
			for _, c := range w.containers() {
				limit, request := c.Resources.Limits.Memory().Value(), c.Resources.Requests.Memory().Value()
				if limit == 0 || request == 0 || request > limit || c.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: requests %v, limits %v", w.name(), c.Resources.Requests, c.Resources.Limits)
					continue
				}
				goLimit := mebibytes(t, env(c, "GOMEMLIMIT"))
				if share := float64(goLimit) / float64(limit); share < 0.7 || share > 0.9 {
					t.Errorf("%s: GOMEMLIMIT is %.0f %% of the limit", w.name(), share*100)
				}
			}
		}
	})
}

func mebibytes(t *testing.T, text string) int64 {
	t.Helper()
	number, ok := strings.CutSuffix(text, "MiB")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		t.Errorf("GOMEMLIMIT=%q: not a number of MiB", text)
	}
	return n << 20
}

// Every volume of a pod exists: its claims, and its ConfigMaps and Secrets under their
// generated names.
func TestVolumes(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		for _, w := range l.pods(t) {
			have := map[string]bool{}
			for _, c := range w.claims {
				have[c.Name] = true
			}
			for _, v := range w.template.Spec.Volumes {
				have[v.Name] = true
				if err := l.check(w.meta.Namespace, v); err != nil {
					t.Errorf("%s: volume %s: %v", w.name(), v.Name, err)
				}
			}
			for _, c := range w.containers() {
				for _, m := range c.VolumeMounts {
					if !have[m.Name] {
						t.Errorf("%s: no volume %s", w.name(), m.Name)
					}
				}
				for _, e := range c.Env {
					if e.ValueFrom == nil || e.ValueFrom.ConfigMapKeyRef == nil {
						continue
					}
					ref := e.ValueFrom.ConfigMapKeyRef
					if _, ok := l.configs[w.meta.Namespace+"/"+ref.Name].Data[ref.Key]; !ok {
						t.Errorf("%s: %s: no key %s in a ConfigMap %s", w.name(), e.Name, ref.Key, ref.Name)
					}
				}
			}
		}
	})
}

func (l *lab) check(namespace string, v corev1.Volume) error {
	switch {
	case v.ConfigMap != nil:
		if _, ok := l.configs[namespace+"/"+v.ConfigMap.Name]; !ok && v.ConfigMap.Optional == nil {
			return fmt.Errorf("no ConfigMap %s", v.ConfigMap.Name)
		}
	case v.Secret != nil:
		// In production the user makes these Secrets.
		if _, ok := l.secrets[namespace+"/"+v.Secret.SecretName]; !ok && !slices.Contains([]string{"grafana-admin", forward.Secret, "database"}, v.Secret.SecretName) {
			return fmt.Errorf("no Secret %s", v.Secret.SecretName)
		}
	case v.PersistentVolumeClaim != nil:
		for _, c := range l.claims {
			if c.Namespace == namespace && c.Name == v.PersistentVolumeClaim.ClaimName {
				return nil
			}
		}
		return fmt.Errorf("no claim %s", v.PersistentVolumeClaim.ClaimName)
	}
	return nil
}

// No request is lost while services are replaced that several pods are: a rollout never reduces
// their number, and each pod has the time to finish its requests.
func TestRolloutsOfServices(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		if w := l.workload(t, "app/frontend"); w.replicas < 2 {
			t.Errorf("%d frontends", w.replicas)
		}
		budgets := 0
		for _, w := range l.workloads {
			if w.meta.Namespace == target.NamespaceApp && w.replicas > 1 {
				checkRollout(t, l, w)
				budgets++
			}
		}
		if len(l.budgets) != budgets {
			t.Errorf("%d disruption budgets for %d workloads: one with a single pod only blocks a drain", len(l.budgets), budgets)
		}
	})
}

func checkRollout(t *testing.T, l *lab, w workload) {
	t.Helper()
	if w.surge < 1 {
		t.Errorf("%s: %d more pods during a rollout", w.name(), w.surge)
	}
	text := env(w.template.Spec.Containers[0], "SHUTDOWN_DELAY")
	delay, err := time.ParseDuration(text)
	if err != nil || delay < 5*time.Second {
		t.Errorf("%s: SHUTDOWN_DELAY is %q", w.name(), text)
	}
	// The delay, the server's 20 s for requests, 5 s for telemetry.
	grace := time.Duration(*w.template.Spec.TerminationGracePeriodSeconds) * time.Second
	if grace < delay+25*time.Second {
		t.Errorf("%s: the pod has %s to end", w.name(), grace)
	}
	if len(w.template.Spec.TopologySpreadConstraints) == 0 {
		t.Errorf("%s: the pods are not spread over nodes", w.name())
	}
	for _, b := range l.budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		if selector.Matches(labels.Set(w.template.Labels)) && b.Spec.MinAvailable.IntValue() >= 1 {
			return
		}
	}
	t.Errorf("%s: no disruption budget keeps a pod", w.name())
}

func env(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

func portNamed(c corev1.Container, name string) int32 {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

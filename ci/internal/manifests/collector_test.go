package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Alloy's limits fit its pod. Alloy refuses data shortly before the kernel would kill it for
// its memory, and its queues nearly fill the volume, but never overfill it.
func TestCollectorFitsItsPod(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(checkout, "config", "alloy", "config.alloy"))
	if err != nil {
		t.Fatal(err)
	}
	queues := float64(strings.Count(string(config), `sys.env("LAB_QUEUE_BYTES")`))
	if queues != 4 {
		t.Fatalf("%v queues of config.alloy have their size from the environment, want 4", queues)
	}
	forEach(t, func(t *testing.T, l *lab) {
		w := l.workload(t, "observability/alloy")
		c := w.template.Spec.Containers[0]
		limit := c.Resources.Limits.Memory().Value()
		goLimit, hard := mebibytes(t, env(c, "GOMEMLIMIT")), mebibytes(t, env(c, "LAB_MEMORY_LIMIT"))
		refuses := hard - mebibytes(t, env(c, "LAB_MEMORY_SPIKE"))
		if hard >= goLimit {
			t.Errorf("LAB_MEMORY_LIMIT is %d bytes, GOMEMLIMIT %d: Go would collect all the time before Alloy refuses", hard, goLimit)
		}
		if share := float64(refuses) / float64(limit); share < 0.55 || share > 0.75 {
			t.Errorf("Alloy refuses at %d bytes of %d: %.0f %%, want 55 to 75", refuses, limit, share*100)
		}
		size, err := strconv.ParseFloat(env(c, "LAB_QUEUE_BYTES"), 64)
		if err != nil {
			t.Fatal(err)
		}
		volume := float64(w.claims[0].Spec.Resources.Requests.Storage().Value())
		// A start copies each queue's file once.
		if share := 2 * queues * size / volume; share < 0.75 || share > 0.92 {
			t.Errorf("the queues and their copies are %.0f %% of the volume, want 75 to 92", share*100)
		}
	})
}

// Before Alloy starts, its pod checks the folder in which config.alloy keeps the queues, on
// the same volume and as the same user.
func TestQueueIsCheckedBeforeAlloyStarts(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(checkout, "config", "alloy", "config.alloy"))
	if err != nil {
		t.Fatal(err)
	}
	forEach(t, func(t *testing.T, l *lab) {
		pod := l.workload(t, "observability/alloy").template.Spec
		if len(pod.InitContainers) != 1 {
			t.Fatalf("Alloy's pod has %d init containers, want 1", len(pod.InitContainers))
		}
		check, alloy := pod.InitContainers[0], pod.Containers[0]
		if len(check.Args) != 2 || check.Args[0] != "check-queue" || !strings.Contains(string(config), `coalesce(sys.env("LAB_QUEUE_DIR"), "`+check.Args[1]+`")`) {
			t.Errorf("the init container runs lab %q, want check-queue and the folder of config.alloy", check.Args)
		}
		if env(alloy, "LAB_QUEUE_DIR") != "" {
			t.Error("Alloy keeps its queues in another folder")
		}
		if !mounts(alloy, check.VolumeMounts[0]) {
			t.Errorf("Alloy has no volume %+v", check.VolumeMounts[0])
		}
		// A file that Alloy has written is Alloy's own.
		if check.SecurityContext.RunAsUser != nil || alloy.SecurityContext.RunAsUser != nil {
			t.Error("the two do not both run as the pod's user")
		}
	})
}

// Before Loki and Mimir start, their pods check the folders that their configurations name, on
// the same volume and as the same user.
func TestFilesAreCheckedBeforeStoresStart(t *testing.T) {
	folders := map[string]string{"loki": "path_prefix: ${LOKI_DATA:-FOLDER}", "mimir": "dir: ${MIMIR_DATA:FOLDER}/tsdb"}
	forEach(t, func(t *testing.T, l *lab) {
		for component, names := range folders {
			config, err := os.ReadFile(filepath.Join(checkout, "config", component, component+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			pod := l.workload(t, "observability/"+component).template.Spec
			if len(pod.InitContainers) != 1 {
				t.Fatalf("the pod of %s has %d init containers, want 1", component, len(pod.InitContainers))
			}
			check, store := pod.InitContainers[0], pod.Containers[0]
			if len(check.Args) != 3 || check.Args[0] != "check-files" || check.Args[1] != component ||
				!strings.Contains(string(config), strings.Replace(names, "FOLDER", check.Args[2], 1)) {
				t.Errorf("the init container runs lab %q, want check-files and the folder of %s.yaml", check.Args, component)
			}
			if !mounts(store, check.VolumeMounts[0]) || check.VolumeMounts[0].MountPath != check.Args[2] {
				t.Errorf("%s has no volume %+v", component, check.VolumeMounts[0])
			}
			if check.SecurityContext.RunAsUser != nil || store.SecurityContext.RunAsUser != nil {
				t.Errorf("the containers of %s do not both run as the pod's user", component)
			}
		}
	})
}

func mounts(c corev1.Container, m corev1.VolumeMount) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(have corev1.VolumeMount) bool {
		return have.Name == m.Name && have.MountPath == m.MountPath && have.SubPath == m.SubPath && !m.ReadOnly
	})
}

// Loki does not start with an object store, unless the lookback that config/loki/loki.yaml
// sets for its own files is taken back.
func TestLokiWithAnObjectStore(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		c := l.workload(t, "observability/loki").template.Spec.Containers[0]
		if store, lookback := env(c, "LOKI_OBJECT_STORE"), env(c, "LOKI_MEMORY_LOOKBACK"); (store == "") != (lookback == "") || store != "" && lookback != "0s" {
			t.Errorf("LOKI_OBJECT_STORE=%q needs LOKI_MEMORY_LOOKBACK=0s, has %q", store, lookback)
		}
	})
}

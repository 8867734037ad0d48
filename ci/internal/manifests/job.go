package manifests

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// JobOptions describe a Job.
type JobOptions struct {
	// ID tells the runs of one kind apart: the Job's name is kind-ID. Without an ID the
	// name is the kind alone, and the Job before must be deleted first.
	ID string
	// Image is the reference of the lab image, whose entrypoint is `lab`.
	Image string
	// Pull says whether a node fetches the image. Empty means never, for a cluster into
	// which images are loaded.
	Pull corev1.PullPolicy
	// Args are the arguments of `lab`.
	Args []string
	// Env is added to the environment of `lab`.
	Env map[string]string
	// Timeout ends a Job that takes longer; 0 means 15 minutes.
	Timeout time.Duration
	// TTL is how long the cluster keeps the Job after its end, so that its log can be
	// read; 0 means an hour.
	TTL time.Duration
}

// The label by which the network policies recognize a Job's pods. These pods may connect
// to every component.
const (
	componentLabel = "app.kubernetes.io/component"
	jobComponent   = "job"
)

// nonRoot is the user id of the account nonroot in the base of our images.
const nonRoot = 65532

// jobName matches a valid name of a Job. A pod's name is 6 characters longer, and may have
// at most 63.
var jobName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)

// Job returns the manifest of a Job of the lab image in the namespace observability. The Job
// runs once and is not tried again. kind is its purpose, such as "traffic" or "verify", and
// the beginning of its name.
func Job(kind string, o JobOptions) ([]byte, error) {
	name := kind
	if o.ID != "" {
		name += "-" + o.ID
	}
	if !jobName.MatchString(name) {
		return nil, fmt.Errorf("job %q: the name may have only small letters, digits and dashes", name)
	}
	if o.Pull == "" {
		o.Pull = corev1.PullNever
	}
	if o.Image == "" {
		return nil, errors.New("job " + name + ": no image")
	}
	labels := map[string]string{
		"app.kubernetes.io/name":     kind,
		"app.kubernetes.io/instance": name,
		"app.kubernetes.io/part-of":  "lgtm-lab",
		componentLabel:               jobComponent,
	}
	job := batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: target.NamespaceObservability, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit:            new(int32(0)),
			ActiveDeadlineSeconds:   new(seconds(o.Timeout, 15*time.Minute)),
			TTLSecondsAfterFinished: new(int32(seconds(o.TTL, time.Hour))),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       o.pod(),
			},
		},
	}
	return marshal(job)
}

func (o JobOptions) pod() corev1.PodSpec {
	env := []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "200MiB"}, {Name: "NO_COLOR", Value: "1"}}
	for _, key := range slices.Sorted(maps.Keys(o.Env)) {
		env = append(env, corev1.EnvVar{Name: key, Value: o.Env[key]})
	}
	return corev1.PodSpec{
		ServiceAccountName:            "lab",
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64(15)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(nonRoot)),
			RunAsGroup:     new(int64(nonRoot)),
			FSGroup:        new(int64(nonRoot)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:            "lab",
			Image:           o.Image,
			ImagePullPolicy: o.Pull,
			Args:            o.Args,
			Env:             env,
			WorkingDir:      "/tmp",
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("96Mi"),
				},
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
			},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem:   new(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			// Puts the last lines of a failed run into the pod's status.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts:             []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}},
		}},
		Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("64Mi"))},
		}}},
	}
}

// seconds returns d in seconds, rounded up; or, when d is 0, the seconds of or.
func seconds(d, or time.Duration) int64 {
	if d == 0 {
		d = or
	}
	return int64((d + time.Second - 1) / time.Second)
}

// marshal encodes an object without its status, which the cluster writes.
func marshal(object any) ([]byte, error) {
	raw, err := yaml.Marshal(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	return yaml.Marshal(fields)
}

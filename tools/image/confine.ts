import type { BuiltImage } from './build.js'

/** What `confine` reads of an image. */
export type Image = Pick<BuiltImage, 'root' | 'config'>

export interface ConfineOptions {
  /** Beside the variables of the image. */
  environment?: Record<string, string | undefined>
  /** The folder that is the image's volume; absent: there is none. */
  data?: string | undefined
  /** In place of the image's entry point and command. */
  command?: readonly string[]
}

export interface CommandLine {
  command: string
  args: string[]
}

/**
 * Makes everything read-only but the volume, and ends as the command, of which it gets the user, the volume and the
 * root. What is mounted here is seen here alone, and gone with the process.
 */
const SCRIPT = `
user=$1 volume=$2 data=$3 root=$4
shift 4
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom
do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
mount -t proc proc "$root/proc"
[ -z "$data" ] || mount --bind "$data" "$root$volume"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \\
  chroot --userspec="$user" --groups="\${user#*:}" "$root" "$@"
`

/**
 * The command line that runs a process of the image as a container engine does with a read-only root: as the image's
 * user, without rights, as the first process of its own. Ends with the process that starts it: the first of the two
 * `unshare` does, and so does the second as the first process of that one's; the image's own process would not, as a
 * change of user makes it forget the signal.
 */
export function confine ({ root, config }: Image, options: ConfineOptions = {}): CommandLine {
  const { environment = {}, data = '', command = [...config.Entrypoint, ...config.Cmd] } = options
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`])
  const [volume = ''] = Object.keys(config.Volumes)
  return {
    command: 'setpriv',
    args: [
      '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child',
      'unshare', '--pid', '--fork',
      'sh', '-euc', SCRIPT, 'sh', config.User, volume, data, root,
      '/usr/bin/env', '--ignore-environment', `--chdir=${config.WorkingDir}`, ...config.Env, ...variables, ...command
    ]
  }
}

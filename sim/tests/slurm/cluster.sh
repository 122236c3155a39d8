# One machine as a Slurm cluster, for as long as a test takes: its own key, configuration and folders, and
# nothing left running. Source it, then `start_cluster FOLDER`; `stop_cluster` at the end, whatever happens.

start_cluster() {
    cluster=$1
    # From here on every command of Slurm means this cluster and no other.
    export SLURM_CONF="$cluster/slurm.conf"
    mkdir -p "$cluster"/{munge,state,spool,log}
    chmod 0755 "$cluster"
    chmod 0700 "$cluster"/munge
    dd if=/dev/urandom of="$cluster/munge/key" bs=1 count=1024 status=none
    chmod 0400 "$cluster/munge/key"
    local host processors memory
    host=$(hostname -s)
    processors=$(nproc)
    memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    cat >"$cluster/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/log/slurmctld.log
SlurmdLogFile=$cluster/log/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=300
KillWait=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$processors RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    echo "CgroupPlugin=cgroup/v1" >"$cluster/cgroup.conf"
    munged --force --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" \
        --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed"
    slurmctld -c
    slurmd -c
    for _ in $(seq 60); do
        if sinfo --noheader --format=%t 2>/dev/null | grep -q '^idle'; then
            return 0
        fi
        sleep 1
    done
    echo "the cluster does not come up:" >&2
    sinfo >&2 || true
    tail -n 20 "$cluster"/log/*.log "$cluster/munge/log" >&2
    return 1
}

stop_cluster() {
    if [ -e "$cluster/slurm.conf" ]; then timeout 20 scancel --full --user=root 2>/dev/null || true; fi
    local pid file
    for file in slurmd.pid slurmctld.pid munge/pid; do
        pid=$(cat "$cluster/$file" 2>/dev/null || true)
        if [ -n "$pid" ]; then
            kill "$pid" 2>/dev/null || true
            for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
            kill -9 "$pid" 2>/dev/null || true
        fi
    done
}

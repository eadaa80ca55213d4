#!/bin/bash
# A Slurm of one machine, without systemd and accounting, for SlurmTests: slurm.sh start|stop FOLDER
# Debian's packages are installed where they are missing. Needs root; 8 tasks run at once whatever the machine has.
set -euo pipefail
folder=$(realpath -m "$2")
host=$(hostname -s)

start() {
    if ! command -v slurmctld slurmd munged sbatch > /dev/null; then
        apt-get install -y --no-install-recommends slurm-wlm munge > /dev/null
    fi
    mkdir -p "$folder"/{state,spool}
    dd if=/dev/urandom of="$folder/munge.key" bs=64 count=1 status=none
    chmod 600 "$folder/munge.key"
    # --force: the folder may lie in /tmp, and root runs it
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
    cat > "$folder/slurm.conf" <<CONF
ClusterName=dori
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf"
    for _ in $(seq 60); do
        [ "$(SLURM_CONF=$folder/slurm.conf sinfo -h -o %T 2> /dev/null)" = idle ] && return
        sleep 1
    done
    echo "slurm.sh: the node does not come up; see $folder/slurmctld.log and slurmd.log" >&2
    exit 1
}

stop() {
    export SLURM_CONF=$folder/slurm.conf
    for _ in $(seq 30); do
        [ -z "$(squeue -h -t running,completing,pending 2> /dev/null)" ] && break
        scancel --full --signal=KILL -u root || true
        scancel -u root || true
        sleep 1
    done
    for daemon in slurmd slurmctld munged; do
        [ -f "$folder/$daemon.pid" ] && kill "$(cat "$folder/$daemon.pid")" || true
    done
}

"$1"

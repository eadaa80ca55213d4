#!/bin/bash
# Several processes at one run folder on a Slurm cluster, and the report after them:
#   submit.sh 8 RUN MODEL --images DIR ...          (what stands after RUN is dori audit's)
#   SBATCH_PARTITION=gpu SBATCH_GRES=gpu:1 SBATCH_TIMELIMIT=4:00:00 DORI=/opt/dori/dori submit.sh 8 RUN ...
# RUN lies where all nodes see it. Prints the array's job id and the report's.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,5s/^# //p' "$0"
    exit 2
fi
tasks=$1 run=$(realpath -m "$2")
shift 2
here=$(dirname "$(realpath "$0")")
array=$(sbatch --parsable --array="1-$tasks" "$here/audit.sbatch" "$run" "$@")
# After any end: a process on a broken node may fail while the others do its work. The report says what is missing.
report=$(env -u SBATCH_GRES -u SBATCH_TIMELIMIT sbatch --parsable --dependency="afterany:$array" "$here/report.sbatch" "$run")
echo "$array $report"

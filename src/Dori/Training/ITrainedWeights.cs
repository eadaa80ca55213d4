using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>
/// Numbers that a training changes: a network's own weights, or low-rank updates of them. They ask for gradients until disposal.
/// </summary>
internal interface ITrainedWeights : IDisposable
{
    /// <summary>Distinct; they name the state.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>In the order of <see cref="Names"/>.</summary>
    IReadOnlyList<Tensor> Tensors { get; }

    void RequireGradients(bool required);

    /// <summary>
    /// Does something meanwhile that needs no gradients of the numbers: without them it costs no more than on a frozen model.
    /// </summary>
    void Frozen(Action action)
    {
        RequireGradients(false);
        try
        {
            action();
        }
        finally
        {
            RequireGradients(true);
        }
    }

    /// <summary>Afterwards the network's own weights hold the result.</summary>
    void Merge();
}

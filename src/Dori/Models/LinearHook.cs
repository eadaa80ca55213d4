using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>
/// Sees one call of a <see cref="Linear"/> layer and decides its output: <c>forward(input)</c> is the layer's own result.
/// Recording, scaling neurons and masking weights are all such functions.
/// </summary>
/// <param name="layer">The layer itself, for its weight.</param>
/// <param name="input">(..., in)</param>
/// <param name="forward">The layer's own computation.</param>
/// <returns>(..., out), owned by the caller's dispose scope.</returns>
internal delegate Tensor LinearHook(Linear layer, Tensor input, Func<Tensor, Tensor> forward);

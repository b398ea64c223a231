//! Events by which contracts tell that somebody with authority used it: another owner or role, other code, another admin, parameter or fee, more to
//! mint. None of them can be had for money.
//!
//! OpenZeppelin `Ownable`, `AccessControl` with its `DefaultAdminRules`, `AccessManager`, `AccessManaged`, `Initializable`, `TimelockController` and
//! `Governor`, EIP-1967, EIP-2535, Safe 1.3.0 to 1.5.0, Solmate, USDC, USDT, Aave v3, Compound v2 and v3, Uniswap v3, LayerZero v2. Nodes that know
//! different events find different things: the list is closed, and one that knows more gets another name in charters.

use alloy_dyn_abi::Specifier;
use alloy_json_abi::Function;
use alloy_primitives::{B256, b256};
use watchfire_types::body::Selector;

pub mod functions;

use self::Privilege::{Admin, Fee, Mint, Owner, Parameter, Role, Upgrade};

/// What a privileged act changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// Who owns.
    Owner,
    /// Who may do what.
    Role,
    /// What code runs.
    Upgrade,
    /// Who may upgrade, and how soon.
    Admin,
    /// A parameter, price source or limit.
    Parameter,
    /// How much may be minted.
    Mint,
    /// A fee.
    Fee,
}

impl Privilege {
    /// Name, as findings say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Role => "role",
            Self::Upgrade => "upgrade",
            Self::Admin => "admin",
            Self::Parameter => "parameter",
            Self::Mint => "mint",
            Self::Fee => "fee",
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivilegedEvent {
    /// What it tells of.
    pub privilege: Privilege,
    /// Canonical signature.
    pub signature: &'static str,
    /// keccak-256 of the signature: its first topic.
    pub topic: B256,
}

const fn event(privilege: Privilege, signature: &'static str, topic: B256) -> PrivilegedEvent {
    PrivilegedEvent { privilege, signature, topic }
}

/// First topic of ERC-20's and ERC-721's `Transfer(address,address,uint256)`: from nobody, it is a mint.
pub const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// First topics by which governors and timelocks say that something was done in them, each with its signature: OpenZeppelin `Governor` and
/// `TimelockController`, `GovernorAlpha` and `GovernorBravo`, Compound's `Timelock`.
pub const GOVERNING: &[(B256, &str)] = &[
    (
        b256!("7d84a6263ae0d98d3329bd7b46bb4e8d6f98cd35a7adb45c274c8b7fd5ebd5e0"),
        "ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)",
    ),
    (b256!("9a2e42fd6722813d69113e7d0079d3d940171428df7373df9c7f7617cfda2892"), "ProposalQueued(uint256,uint256)"),
    (b256!("712ae1383f79ac853f8d882153778e0260ef8f03b504e2866e0593e04d2b291f"), "ProposalExecuted(uint256)"),
    (
        b256!("b8e138887d0aa13bab447e82de9d5c1777041ecd21ca36ba824ff1e6c07ddda4"),
        "VoteCast(address,uint256,uint8,uint256,string)",
    ),
    (
        b256!("e2babfbac5889a709b63bb7f598b324e08bc5a4fb9ec647fb3cbc9ec07eb8712"),
        "VoteCastWithParams(address,uint256,uint8,uint256,string,bytes)",
    ),
    (
        b256!("877856338e13f63d0c36822ff0ef736b80934cd90574a3a5bc9262c39d217c46"),
        "VoteCast(address,uint256,bool,uint256)",
    ),
    (
        b256!("4cf4410cc57040e44862ef0f45f3dd5a5e02db8eb8add648d4b0e236f1d07dca"),
        "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)",
    ),
    (
        b256!("c2617efa69bab66782fa219543714338489c4e9e178271560a91b82c3f612b58"),
        "CallExecuted(bytes32,uint256,address,uint256,bytes)",
    ),
    (
        b256!("76e2796dc3a81d57b0e8504b647febcbeeb5f4af818e164f11eef8131a6a763f"),
        "QueueTransaction(bytes32,address,uint256,string,bytes,uint256)",
    ),
    (
        b256!("a560e3198060a2f10670c1ec5b403077ea6ae93ca8de1c32b451dc1a943cd6e7"),
        "ExecuteTransaction(bytes32,address,uint256,string,bytes,uint256)",
    ),
];

/// All of them.
pub const EVENTS: &[PrivilegedEvent] = &[
    event(
        Owner,
        "OwnershipTransferred(address,address)",
        b256!("8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0"),
    ),
    event(
        Owner,
        "OwnershipTransferStarted(address,address)",
        b256!("38d16b8cac22d99fc7c124b9cd0de2d3fa1faef420bfe791d8c362d765e22700"),
    ),
    event(
        Owner,
        "AuthorityUpdated(address,address)",
        b256!("a3396fd7f6e0a21b50e5089d2da70d5ac0a3bbbd1f617a93f134b76389980198"),
    ),
    event(
        Owner,
        "AuthorityUpdated(address)",
        b256!("2f658b440c35314f52658ea8a740e05b284cdc84dc9ae01e891f21b8933e7cad"),
    ),
    event(Owner, "LogSetOwner(address)", b256!("ce241d7ca1f669fee44b6fc00b8eba2df3bb514eed0f6f668f8f89096e81ed94")),
    event(
        Owner,
        "NewOwner(address,address)",
        b256!("70aea8d848e8a90fb7661b227dc522eb6395c3dac71b63cb59edd5c9899b2364"),
    ),
    event(Owner, "AddedOwner(address)", b256!("9465fa0c962cc76958e6373a993326400c1c94f8be2fe3a952adfa7f60b2ea26")),
    event(Owner, "RemovedOwner(address)", b256!("f8d49fc529812e9a7c5c50e69c20f0dccc0db8fa95c98bc58cc9a4f1c1299eaf")),
    event(
        Owner,
        "ChangedThreshold(uint256)",
        b256!("610f7ff2b304ae8903c3de74c60c6ab1f7d6226b3f52c5161905bb5ad4039c93"),
    ),
    event(
        Role,
        "RoleGranted(bytes32,address,address)",
        b256!("2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d"),
    ),
    event(
        Role,
        "RoleRevoked(bytes32,address,address)",
        b256!("f6391f5c32d9c69d2a47ea670b442974b53935d1edc7fd64eb21e047a839171b"),
    ),
    event(
        Role,
        "RoleRevoked(uint64,address)",
        b256!("f229baa593af28c41b1d16b748cd7688f0c83aaf92d4be41c44005defe84c166"),
    ),
    event(
        Role,
        "RoleAdminChanged(bytes32,bytes32,bytes32)",
        b256!("bd79b86ffe0ab8e8776151514217cd7cacd52c909f66475c3af44e129f0b00ff"),
    ),
    event(
        Role,
        "RoleGranted(uint64,address,uint32,uint48,bool)",
        b256!("f98448b987f1428e0e230e1f3c6e2ce15b5693eaf31827fbd0b1ec4b424ae7cf"),
    ),
    event(
        Role,
        "RoleAdminChanged(uint64,uint64)",
        b256!("1fd6dd7631312dfac2205b52913f99de03b4d7e381d5d27d3dbfe0713e6e6340"),
    ),
    event(
        Role,
        "RoleGuardianChanged(uint64,uint64)",
        b256!("7a8059630b897b5de4c08ade69f8b90c3ead1f8596d62d10b6c4d14a0afb4ae2"),
    ),
    event(
        Role,
        "RoleGrantDelayChanged(uint64,uint32,uint48)",
        b256!("feb69018ee8b8fd50ea86348f1267d07673379f72cffdeccec63853ee8ce8b48"),
    ),
    event(
        Role,
        "TargetFunctionRoleUpdated(address,bytes4,uint64)",
        b256!("9ea6790c7dadfd01c9f8b9762b3682607af2c7e79e05a9f9fdf5580dde949151"),
    ),
    event(
        Role,
        "TargetAdminDelayUpdated(address,uint32,uint48)",
        b256!("a56b76017453f399ec2327ba00375dbfb1fd070ff854341ad6191e6a2e2de19c"),
    ),
    event(
        Role,
        "TargetClosed(address,bool)",
        b256!("90d4e7bb7e5d933792b3562e1741306f8be94837e1348dacef9b6f1df56eb138"),
    ),
    event(
        Role,
        "DefaultAdminTransferScheduled(address,uint48)",
        b256!("3377dc44241e779dd06afab5b788a35ca5f3b778836e2990bdb26a2a4b2e5ed6"),
    ),
    event(
        Role,
        "DefaultAdminDelayChangeScheduled(uint48,uint48)",
        b256!("f1038c18cf84a56e432fdbfaf746924b7ea511dfe03a6506a0ceba4888788d9b"),
    ),
    event(Role, "MinterAdded(address)", b256!("6ae172837ea30b801fbfcdd4108aa1d5bf8ff775444fd70256b44e6bf3dfc3f6")),
    event(Role, "PauserChanged(address)", b256!("b80482a293ca2e013eda8683c9bd7fc8347cfdaeea5ede58cba46df502c2a604")),
    event(
        Role,
        "MasterMinterChanged(address)",
        b256!("db66dfa9c6b8f5226fe9aac7e51897ae8ee94ac31dc70bb6c9900b2574b707e6"),
    ),
    event(Role, "EnabledModule(address)", b256!("ecdf3a3effea5783a3c4c2140e677577666428d44ed9d474a0b3a4c9943f8440")),
    event(Role, "DisabledModule(address)", b256!("aab4fa2b463f581b2b32cb3b7e3b704b9ce37cc209b5fb4d77e593ace4054276")),
    event(Role, "ChangedGuard(address)", b256!("1151116914515bc0891ff9047a6cb32cf902546f83066499bcf8ba33d2353fa2")),
    event(
        Role,
        "ChangedModuleGuard(address)",
        b256!("cd1966d6be16bc0c030cc741a06c6e0efaf8d00de2c8b6a9e11827e125de8bb8"),
    ),
    event(
        Role,
        "ChangedFallbackHandler(address)",
        b256!("5ac6c46c93c8d0e53714ba3b53db3e7c046da994313d7ed0d192028bc7c228b0"),
    ),
    event(
        Role,
        "ACLManagerUpdated(address,address)",
        b256!("b30efa04327bb8a537d61cc1e5c48095345ad18ef7cc04e6bacf7dfb6caaf507"),
    ),
    event(
        Role,
        "ACLAdminUpdated(address,address)",
        b256!("e9cf53972264dc95304fd424458745019ddfca0e37ae8f703d74772c41ad115b"),
    ),
    event(Upgrade, "Upgraded(address)", b256!("bc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b")),
    event(
        Upgrade,
        "BeaconUpgraded(address)",
        b256!("1cf3b03a6cf19fa2baba4df148e9dcabedea7f8a5c07840e207e5c089be95d3e"),
    ),
    event(Upgrade, "Initialized(uint8)", b256!("7f26b83ff96e1f2b6a682f133852f6798a09c465da95921460cefb3847402498")),
    event(Upgrade, "Initialized(uint64)", b256!("c7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d2")),
    event(
        Upgrade,
        "DiamondCut((address,uint8,bytes4[])[],address,bytes)",
        b256!("8faa70878671ccd212d20771b795c50af8fd3ff6cf27f4bde57e5d4de0aeb673"),
    ),
    event(
        Upgrade,
        "NewImplementation(address,address)",
        b256!("d604de94d45953f9138079ec1b82d533cb2160c906d1076d1f7ed54befbca97a"),
    ),
    event(
        Upgrade,
        "ChangedMasterCopy(address)",
        b256!("75e41bc35ff1bf14d81d1d2f649c0084a0f974f9289c803ec9898eeec4c8d0b8"),
    ),
    event(
        Upgrade,
        "PoolUpdated(address,address)",
        b256!("90affc163f1a2dfedcd36aa02ed992eeeba8100a4014f0b4cdc20ea265a66627"),
    ),
    event(
        Upgrade,
        "PoolConfiguratorUpdated(address,address)",
        b256!("8932892569eba59c8382a089d9b732d1f49272878775235761a2a6b0309cd465"),
    ),
    event(
        Admin,
        "AdminChanged(address,address)",
        b256!("7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f"),
    ),
    event(
        Admin,
        "NewAdmin(address,address)",
        b256!("f9ffabca9c8276e99321725bcb43fb076a6c66a54b7f21c4e8146d8519b417dc"),
    ),
    event(
        Admin,
        "NewPendingAdmin(address,address)",
        b256!("ca4f2f25d0898edd99413412fb94012f9e54ec8142f9b093e7720646a95b16a9"),
    ),
    event(
        Admin,
        "MinDelayChange(uint256,uint256)",
        b256!("11c24f4ead16507c69ac467fbd5e4eed5fb5c699626d2cc6d66421df253886d5"),
    ),
    event(Admin, "NewDelay(uint256)", b256!("948b1f6a42ee138b7e34058ba85a37f716d55ff25ff05a763f15bed6a04c8d2c")),
    event(
        Admin,
        "TimelockChange(address,address)",
        b256!("08f74ea46ef7894f65eabfb5e6e695de773a000b47c529ab559178069b226401"),
    ),
    event(
        Parameter,
        "PriceOracleUpdated(address,address)",
        b256!("56b5f80d8cac1479698aa7d01605fd6111e90b15fc4d2b377417f46034876cbd"),
    ),
    event(
        Parameter,
        "NewPriceOracle(address,address)",
        b256!("d52b2b9b7e9ee655fcb95d2e5b9e0c9f69e7ef2b8e9d2d0ea78402d576d22e22"),
    ),
    event(
        Parameter,
        "AssetSourceUpdated(address,address)",
        b256!("22c5b7b2d8561d39f7f210b6b326a1aa69f15311163082308ac4877db6339dc1"),
    ),
    event(
        Parameter,
        "NewCollateralFactor(address,uint256,uint256)",
        b256!("70483e6592cd5182d45ac970e05bc62cdcc90e9d8ef2c2dbe686cf383bcd7fc5"),
    ),
    event(
        Parameter,
        "NewCloseFactor(uint256,uint256)",
        b256!("3b9670cf975d26958e754b57098eaa2ac914d8d2a31b83257997b9f346110fd9"),
    ),
    event(
        Parameter,
        "NewLiquidationIncentive(uint256,uint256)",
        b256!("aeba5a6c40a8ac138134bff1aaa65debf25971188a58804bad717f82f0ec1316"),
    ),
    event(
        Parameter,
        "NewMarketInterestRateModel(address,address)",
        b256!("edffc32e068c7c95dfd4bdfd5c4d939a084d6b11c4199eac8436ed234d72f926"),
    ),
    event(
        Parameter,
        "NewComptroller(address,address)",
        b256!("7ac369dbd14fa5ea3f473ed67cc9d598964a77501540ba6751eb0b3decf5870d"),
    ),
    event(
        Parameter,
        "CollateralConfigurationChanged(address,uint256,uint256,uint256)",
        b256!("637febbda9275aea2e85c0ff690444c8d87eb2e8339bbede9715abcc89cb0995"),
    ),
    event(
        Parameter,
        "ReserveInterestRateStrategyChanged(address,address,address)",
        b256!("db8dada53709ce4988154324196790c2e4a60c377e1256790946f83b87db3c33"),
    ),
    event(
        Parameter,
        "SupplyCapChanged(address,uint256,uint256)",
        b256!("0263602682188540a2d633561c0b4453b7d8566285e99f9f6018b8ef2facef49"),
    ),
    event(
        Parameter,
        "BorrowCapChanged(address,uint256,uint256)",
        b256!("c51aca575985d521c5072ad11549bad77013bb786d57f30f94b40ed8f8dc9bc4"),
    ),
    event(
        Parameter,
        "VotingDelaySet(uint256,uint256)",
        b256!("c565b045403dc03c2eea82b81a0465edad9e2e7fc4d97e11421c209da93d7a93"),
    ),
    event(
        Parameter,
        "VotingPeriodSet(uint256,uint256)",
        b256!("7e3f7f0708a84de9203036abaa450dccc85ad5ff52f78c170f3edb55cf5e8828"),
    ),
    event(
        Parameter,
        "ProposalThresholdSet(uint256,uint256)",
        b256!("ccb45da8d5717e6c4544694297c4ba5cf151d455c9bb0ed4fc7a38411bc05461"),
    ),
    event(
        Parameter,
        "QuorumNumeratorUpdated(uint256,uint256)",
        b256!("0553476bf02ef2726e8ce5ced78d63e26e602e4a2257b1f559418e24b4633997"),
    ),
    event(
        Parameter,
        "PeerSet(uint32,bytes32)",
        b256!("238399d427b947898edb290f5ff0f9109849b1c3ba196a42e35f00c50a54b98b"),
    ),
    event(
        Mint,
        "MinterConfigured(address,uint256)",
        b256!("46980fca912ef9bcdbd36877427b6b90e860769f604e89c0e67720cece530d20"),
    ),
    event(
        Mint,
        "MinterAllowanceIncremented(address,address,uint256,uint256)",
        b256!("3703d23abba1e61f32acc0682fc062ea5c710672c7d100af5ecd08485e983ad0"),
    ),
    event(Mint, "Issue(uint256)", b256!("cb8241adb0c3fdb35b70c24ce35c5eb0c17af7431c99f827d44a445ca624176a")),
    event(
        Fee,
        "NewReserveFactor(uint256,uint256)",
        b256!("aaa68312e2ea9d50e16af5068410ab56e1a1fd06037b1a35664812c30f821460"),
    ),
    event(
        Fee,
        "ReserveFactorChanged(address,uint256,uint256)",
        b256!("b46e2b82b0c2cf3d7d9dece53635e165c53e0eaa7a44f904d61a2b7174826aef"),
    ),
    event(
        Fee,
        "FlashloanPremiumTotalUpdated(uint128,uint128)",
        b256!("71aba182c9d0529b516de7a78bed74d49c207ef7e152f52f7ea5d8730138f643"),
    ),
    event(
        Fee,
        "FlashloanPremiumToProtocolUpdated(uint128,uint128)",
        b256!("e7e0c75e1fc2d0bd83dc85d59f085b3e763107c392fb368e85572b292f1f5576"),
    ),
    event(
        Fee,
        "LiquidationProtocolFeeChanged(address,uint256,uint256)",
        b256!("b5b0a963825337808b6e3154de8e98027595a5cad4219bb3a9bc55b192f4b391"),
    ),
    event(
        Fee,
        "SetFeeProtocol(uint8,uint8,uint8,uint8)",
        b256!("973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133"),
    ),
];

/// The event with this first topic, if it is one of them.
#[must_use]
pub fn by_topic(topic: &B256) -> Option<&'static PrivilegedEvent> {
    EVENTS.iter().find(|event| event.topic == *topic)
}

/// The selector of a function and its canonical signature; `None` for what is none, or has a type that Solidity does not have.
#[must_use]
pub fn selector_of(function: &str) -> Option<(Selector, String)> {
    let function = Function::parse(function).ok()?;
    let known = function.inputs.iter().all(|input| input.resolve().is_ok());
    known.then(|| (Selector(function.selector().0), function.signature()))
}

#[cfg(test)]
#[path = "privileged_tests.rs"]
mod tests;
